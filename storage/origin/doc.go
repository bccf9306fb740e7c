// Package origin speaks HTTP to the sources that objects are copied from. Sources are not trusted, and neither are the
// people who name them.
//
// It guarantees:
//
//   - Every URL requested, the first and each redirect after it, is canonical and matches the allow list. Every address
//     dialled is outside the special-purpose networks (loopback, private, link-local, …) unless configuration lets it in;
//     the address is judged after name resolution, when the socket is made, so no spelling of a host gets around it.
//   - No proxy, cookie, Referer or credential is ever used: each hop is a fresh request.
//   - A [Body] that [Client.Get] or [Client.GetRange] hands out ends in io.EOF only when it is whole: as long as the HEAD
//     said, and framed so that a lost connection can't pass for its end. The one exception says so itself, by
//     [Body.Framed]. Content codings are passed through undecoded.
//   - The whole object, got by [Client.Get], ends in io.EOF only when it matches every digest that HEAD and GET gave. Ranges
//     are of the version that HEAD saw, by its strong ETag; a [Verifier] tells whether they make up what the digests promise.
//   - No URL query, and no byte of a response body, is in an error's text, in an error that it wraps, or in [Meta].
//
// What it can't notice: a source that declares a shorter length than it means, in HEAD and GET alike, and gives no digest.
//
// It leaves to others: retries (an [Error] says whether they make sense and how long to wait), concurrency beyond
// connections per host, the digest of an object got in ranges, whether an unframed body will do, and a body that stalls:
// reads are bounded by the caller's context only.
//
// # Decisions
//
// 2026-11-22, patterns are anchored at their start: an allow list of `https://good\.example/` would otherwise pass
// `https://evil.example/?https://good.example/`. The end is open. Dot segments and encoded slashes in a path are kept
// as sent, so a pattern binds scheme, host and port; how far it binds the path is up to how the source reads paths.
//
// 2026-11-22, only a 4xx is the source's own verdict, and so permanent. Anything else that is not the answer asked for
// (204, an unasked 206, a 3xx without Location, …) is transient: it is usually a source in the middle of a change, and
// the client is better served with the original URL than with a status that makes no sense to it.
//
// 2026-11-22, SourceUnverifiable is permanent: how a server describes its answers does not change from one try to the next,
// and each try may cost the whole object. SourceCorrupt is not: bytes that were damaged on the way may arrive next time.
//
// 2026-11-23, no HTTP/2. Its streams to one host share a connection, and so one TCP window and one cap per connection on
// the source's side: parallel ranges would be no faster than one.
//
// 2026-11-23, Content-Digest in the answer to a HEAD is ignored: it covers the content of that answer, which is empty, as
// RFC 9530 shows in appendix B.2. Servers that send the GET's value there are believed at the GET.
package origin
