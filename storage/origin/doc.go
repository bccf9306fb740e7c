// Package origin sends HTTP requests to the sources that objects are copied from. It trusts neither
// the sources nor the people who name them.
//
// # Guarantees
//
//   - Every URL requested, the first and each redirect after it, is canonical and matches the allow
//     list.
//   - Every address dialled is outside the special-purpose networks (loopback, private, link-local,
//     …) unless configuration allows it. The guard judges the address after name resolution, when
//     the socket is made, so no spelling of a host gets around it.
//   - No proxy, cookie, Referer or credential is ever used: each hop is a fresh request.
//   - A [Body] from [Client.Get] or [Client.GetRange] ends in io.EOF only when it is whole. It is
//     then as long as the HEAD said, and framed, so that a lost connection can't pass for its end.
//     [Body.Framed] reports the only exception.
//   - Content codings are passed through undecoded.
//   - The whole object, from [Client.Get], ends in io.EOF only when it matches every digest that
//     HEAD and GET gave.
//   - Ranges are of the version that HEAD saw, by its strong ETag. A [Verifier] tells whether they
//     make up the object that the digests promise.
//   - No URL query, and no byte of a response body, is in an error's text, in an error that it
//     wraps, or in [Meta].
//
// One lie goes unnoticed: a source that declares too short a length, in HEAD and GET alike, and
// gives no digest.
//
// The caller is responsible for:
//
//   - Retries. An [Error] says whether they make sense and how long to wait.
//   - Concurrency, beyond the limit of connections per host.
//   - The digest of an object that it fetches in ranges.
//   - The decision whether to accept an unframed body.
//   - A body that stalls. Only the caller's context bounds reads.
//
// # Decisions
//
// 2026-11-23: Content-Digest in the response to a HEAD is ignored. It covers the content of that
// response, which is empty, as RFC 9530 shows in appendix B.2. Servers that send the GET's value
// there are trusted at the GET: the header of that response counts.
//
// 2026-11-23: no HTTP/2. Its streams to one host share a connection, and so one TCP window and one
// cap per connection on the source's side. Parallel ranges would be no faster than one.
//
// 2026-11-22: SourceUnverifiable is permanent. How a server describes its responses does not change
// from one attempt to the next, and each attempt may cost the whole object. SourceCorrupt is
// transient: bytes that were damaged on the way may arrive intact next time.
//
// 2026-11-22: only a 4xx is the source's own verdict, and so permanent. Any other unexpected
// response (204, an unasked 206, a 3xx without Location, …) is transient: it usually means that the
// source is in the middle of a change. The original URL serves the client better than a status that
// makes no sense to it.
//
// 2026-11-22: patterns are anchored at their start. Otherwise an allow list of
// `https://good\.example/` would pass `https://evil.example/?https://good.example/`. The end is
// open. Dot segments and encoded slashes in a path are kept as sent, so a pattern binds scheme,
// host and port. How far it binds the path depends on how the source reads paths.
package origin
