// Package origin sends HTTP requests to the sources that objects are copied from. It trusts neither
// the sources nor the people who name them.
//
// # Guarantees
//
//   - Every URL requested, the first and each redirect after it, is canonical and has the scheme,
//     host, port and path of an entry of the allow list.
//   - Every address dialled is outside the special-purpose networks (loopback, private, link-local,
//     …) unless configuration allows it. The guard judges the address after name resolution, when
//     the socket is made, so no spelling of a host gets around it.
//   - No metadata service is dialled unless configuration lists its address by itself. No denied
//     network, no listener of this mirror and no server that it uses is ever dialled.
//   - No proxy, cookie, Referer or credential is ever used: each hop is a fresh request.
//   - A [Body] ends in io.EOF only when it is whole. It is then as long as the response declared,
//     and framed, so that a lost connection can't pass for its end. [Body.Framed] reports the only
//     exception.
//   - Content codings are passed through undecoded.
//   - The whole object, from [Client.First] or [Client.Get], ends in io.EOF only when it matches
//     every digest in its response.
//   - Ranges are of the version that a plain GET described, by its strong ETag, its length and its
//     content coding. A [Verifier] tells whether they make up the object that the digests promise.
//   - Only the response to a plain GET says something about the object. A refused range is
//     ClassRangeRefused with any status.
//   - No URL query, and no byte of a response body, is in an error's text, in an error that it
//     wraps, or in [Meta].
//
// One lie goes unnoticed: a source that declares too short a length and gives no digest.
//
// The caller is responsible for:
//
//   - Retries. An [Error] says whether they make sense and how long to wait.
//   - Concurrency, beyond the limits of requests per host. The limit for ranges adapts to the host:
//     it is halved when the host refuses one while others are in flight, and grows slowly.
//   - The digest of an object that it fetches in ranges.
//   - The decision whether to accept an unframed body.
//   - A body that stalls. Only the caller's context bounds reads.
//
// # Decisions
//
// 2026-11-26: sources are listed as URLs, not as regular expressions. An expression has no host
// part: `https://a\.example\.com` allows a.example.com.evil.test. Expressions of the original are
// read only where they mean the same as an entry. Rejected: to match the expression's host part
// against the parsed host. Where that part ends is not decidable for groups and alternatives.
//
// 2026-11-26: a path without a trailing slash ends at a segment. As a plain prefix, /foo would
// allow /foobar, which may be of another owner.
//
// 2026-11-26: an entry binds the path as well. Under an entry with a path, a URL that a server
// could read as one of its parents is refused.
//
// 2026-11-26: all ports only on loopback. A wildcard of ports reaches admin interfaces of any other
// host.
//
// 2026-11-26: metadata services stay refused under allowed networks such as 0.0.0.0/0 and fc00::/7.
// Operators open these networks for their own sources, and forget their other hosts.
//
// 2026-11-26: the names of redis, SQS and Temporal are resolved when a source is dialled at their
// port, at most every 30 s. If that fails, copies continue: an outage of DNS must not stop them,
// and the guard is the second line behind the allow list. Rejected: a loop in the background, which
// a Client would have to be closed for.
//
// 2026-11-26: a trailing dot of a host is dropped. Resolvers then may try their search domains, as
// for any other URL.
//
// 2026-11-26: [Client.Head] is for audits, which confirm a suspicion by a plain GET. It has
// connections of its own, so that it never keeps a first request waiting.
//
// 2026-11-25: no HEAD for copies. About 100 misbehaving sources were tried. A source's response to
// HEAD often differs from its response to GET, and every difference made an object impossible to
// copy. Every client sends a plain GET. If the object turns out to be large, the body is closed
// unread. The kernel has received about 128 KiB of it by then.
//
// 2026-11-25: no If-Match and no If-Range. The ETag of each 206 already pins the version, and some
// sources answer conditional requests wrongly.
//
// 2026-11-23: no HTTP/2. Its streams to one host share a connection, and so one TCP window and one
// cap per connection on the source's side. Parallel ranges would be no faster than one.
//
// 2026-11-22: SourceUnverifiable is permanent. How a server describes its responses does not change
// from one attempt to the next, and each attempt may cost the whole object. SourceCorrupt is
// transient: bytes that were damaged on the way may arrive intact next time.
//
// 2026-11-25: of the 4xx, only 404 and 410 are about the object. The others may be about us, so
// clients are better served by the original URL. All 4xx are permanent except 408, 425 and 429. Any
// other unexpected response (204, an unasked 206, a 3xx without Location, …) is transient: it
// usually means that the source is in the middle of a change.
package origin
