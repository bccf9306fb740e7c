// Package frontend is the HTTP side of cloud-mirror: redirects to copies, by URL and by upstream,
// their status, lists of copies to make, and purges. README.md in this folder documents the API and
// the redirect decision.
//
// # Guarantees
//
//   - Every redirect request gets a usable answer within its wait: the copy, the source's own 404,
//     a refusal of an invalid request, or the original URL. That holds while any dependency is
//     down. The exception is a client at a limit of package flight. It gets the original URL at
//     once, or 429 or 503 with Retry-After if [Options].AtLimit is [AtLimitRefuse].
//   - A request to the mirror route for a configured upstream gets the copy or a redirect to the
//     source, and no error: the source tells its client the reason. Its Location begins with the
//     root of a configured upstream or is the copy's URL. The exception is a path that leads out of
//     its upstream.
//   - Only requests that wait, or that need a new copy, are limited. Hits never are.
//   - No client waits in vain. It is redirected to the source at once if its wait would end before
//     the next try at a copy that failed, or if the copy failed twice in the same way.
//   - A redirect comes at most 900 ms after the client's wait, and a status within 900 ms, however
//     many dependencies are slow.
//   - A path that was redirected lately is served from memory, without the router, without a
//     signature and without I/O, while its entry is fresh. Such a hit allocates nothing. Only a
//     presigned URL is signed again, after half its lifetime.
//   - A request with a body is refused before anything else, except a list of copies. The front end
//     therefore notices a client that leaves. No unread body is parsed as a request, or holds a
//     connection.
//   - Kept redirects stay within CacheMemory. They share no memory with their requests. An invalid
//     request leaves nothing behind.
//   - A kept redirect holds no text twice, and none that its path or its pool gives again. It takes
//     650 bytes for a source URL of 100 bytes, with its entry in the near cache. The estimates are
//     within a fifth of the memory in use.
//   - A waiting client that closes or resets its connection frees its place within a second.
//     Package conns bounds the connections, and closes those that make no progress.
//   - Every answer except a hit has the id of its request; see package requestid.
//   - No answer holds a host of the request. Every answer has X-Content-Type-Options: nosniff.
//   - Purges and lists need a token with their scope: see package token. The log of a purge names
//     it.
//   - Every answer about an object names the workflow that copies it, except a hit.
//   - The operators' text of a failure, and the owner of a lease, are for tokens with the scope
//     status.
//   - The connection of a request with a body ends after its answer.
//   - A 401 is this front end's own. A source that asks for credentials gets the client itself.
//   - Object bytes never pass through here. Neither logs nor error texts hold a URL's query.
//
// # Decisions
//
// 2026-11-27: hits have no Cloud-Mirror-Workflow-Id. A kept redirect would hold 100 bytes more, or hash the
// URL for each hit, and a hit has no copy to look for. The status of the object has the id.
//
// 2026-11-26: redirects and lists have a minimum size, 0 by default. The mirror route has its own:
// its clients are package managers that request thousands of small files. An object that is too
// small is no failure, so a list reports it as not requested.
//
// 2026-11-26: a kept redirect has its path, the key of its entry, and the values of its answer:
// time, validity and signature. A hit makes the texts again, in a buffer of its connection. The
// rest of a presigned URL is in a form that redirects share ([storage.Forms]). The session token is
// a part of the form, so it adds nothing to a redirect. A request other than a hit resolves the
// path again. The bytes of a redirect whose source URL has 100 bytes:
//
//	                                      before   now
//	node, and share of the table              90    90
//	path                                     144   144
//	source URL                               112     0
//	target                                   160    96
//	host and name in the copy's key            0    48
//	presigned answer of GET                  547    64
//	key of the entry                          80    80
//	near cache: node, share of the table     265   123
//	near cache: the value in redis            66     0
//	sum                                    1,464   645
//
// Rejected:
//   - A finished response head for each redirect: 450 bytes, and 2.7 KB with a long session token.
//   - A buffer from a sync.Pool: net/http sends the headers of a short answer only after the
//     handler has returned.
//   - A hash of the path instead of the path. It would save 130 bytes, but a fast hash can collide,
//     and a safe hash costs each hit as much as making the answer.
//   - Entries of the near cache inside of known targets. An invalidation names the key of an entry,
//     and lists and statuses read entries without a known target. The two tables share the bytes
//     of the keys instead.
//
// 2026-11-26: a status with a wrong token is refused, although it needs none. Otherwise the route
// would tell right tokens from wrong ones without counting the guesses.
//
// 2026-11-26: a request with both a length and chunks is answered, and its connection is closed. A
// handler can't see that net/http dropped the length, and a wrapper around connections would parse
// every request twice.
//
// 2026-11-26: the mirror route answers a client whose service or region is unknown with the source,
// not 404. A region that an operator removes must not break the builds that still name it.
// Cache-Status says why.
//
// 2026-11-26: a HEAD of the mirror route answers with the headers of the copy, from one HEAD of the
// bucket for each entry and minute. A redirect would lead to a URL that is signed for HEAD only,
// and Homebrew and huggingface_hub GET that URL. Headers in each redis entry were rejected: few
// clients HEAD.
//
// 2026-11-26: redirects to copies are counted by the upstream of their source, not by route. The
// routes share copies, and workers count copies by source: only so can redirects be compared with
// copies.
//
// 2026-11-25: the answer at a limit is the original URL, not 503. A build that requests more than
// its share then loses time but does not fail. An operator that pays for the source's traffic can
// choose 429 and 503.
//
// 2026-11-25: a 4xx is passed on only if the worker says that it is about the object. The original
// passed on all of them. Many are about the mirror: its address, its User-Agent, a missing cookie.
//
// 2026-11-25: this package speaks HTTP and nothing else. Leases, waits and purges moved to
// frontend/flight; the admin listener moved to deploy/system. Each route has a type of its own, so
// that a handler can reach only its own dependencies.
//
// 2026-11-25: [decide] gets facts about the entry and the wait, never durations, so that no caller
// has to invent one.
//
// 2026-11-22: one pure function, [decide], makes the redirect decision. The I/O is around it.
//
// 2026-11-22: the front end never speaks to Temporal. It requests copies through frontend/queue, so
// that clients are served while Temporal is down.
package frontend
