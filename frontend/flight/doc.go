// Package flight gets copies on behalf of clients. It requests each copy once, waits for it, and
// purges objects. It knows redis, the buckets and the queue by small interfaces, and nothing of
// HTTP.
//
// # Guarantees
//
//   - Any number of clients and front ends make one copy request for an object: only the lease
//     holder HEADs the bucket and requests the copy. Without redis there are no leases. Then each
//     process sends one message per flight and per object of a list, and Temporal starts one
//     workflow for all of them.
//   - The first client that waits for a list's copy requests it again at its own priority, if it
//     has a token. Without a token it waits for the list's copy.
//   - An entry of an object that is too small counts as absent for a request with a smaller
//     minimum, or without one. Such a request drops that very entry, and requests the copy. If it
//     shares the lease of a request with a larger minimum, it requests the copy after that request
//     has ended.
//   - A lease is always followed by a message, by an entry for a copy found in the bucket, or by
//     its release. A client that leaves can't prevent that. The lease of a process that dies
//     expires.
//   - A waiting client is woken by redis. The flight polls the bucket only while redis is down.
//   - A client whose wait would end before the next try at a copy that failed is told so at once.
//   - At most MaxWaiters requests wait, at most MaxWaitersPerObject for one object and minimum
//     size, and at most MaxWaitersPerClient of one client. A request beyond these limits is
//     [Outcome].Refused at once.
//   - A copy request costs a token of a client and a token of the source host. Without a token, or
//     while the pool's [Gate] is closed, no copy is requested, and the flight's clients are
//     Refused. The client's token is spent even if the Gate or the host refuses.
//   - A raised priority costs a token of a client. Nothing else costs a token: not a present copy,
//     a copy found in the bucket, a running copy, nor a copy that another process requests. A
//     client never takes a token of a host that it can't pay for itself.
//   - A client without tokens costs one read of redis for an object without an entry. It causes no
//     lease and no HEAD. A copy that redis has forgotten counts as a new copy there, because only a
//     HEAD could tell.
//   - A client at its limit stops no other client. Any client of a flight can pay. A client that
//     comes after the refusal starts another flight.
//   - A Gate opens while the backlog is unknown, for example while redis or Temporal is down.
//   - A dependency that hangs costs its first callers under a second. Then its circuit breaker
//     opens and later callers skip it.
//   - A copy that was deleted in the bucket is noticed by a HEAD after it was served. All front
//     ends together send at most one such HEAD for an object in VerifyEvery, and none while redis
//     is down. A process sends at most 20 a second to a pool.
//   - Such a HEAD only removes or shortens entries. It restores none that was purged, and removes
//     none that changed during the HEAD.
//   - A copy that was started before a purge is not published after it and, while redis is up, is
//     not found in the bucket.
//   - A purge that fails at redis or at the bucket is finished by a workflow. Purge fails only if
//     its message can't be sent.
//   - One of AuditEvery hits of an upstream sends an audit of its object. All front ends together
//     send at most one audit of an object an hour, and a process one a second for an upstream.
//   - A hit in the last quarter of a copy's life sends a refresh. All front ends together send at
//     most ten for an object in that quarter, or one an hour.
//   - No message holds the query of a URL, except sealed.
//   - Neither is sent while redis is down, or while the pool's gate is closed for lists. Neither
//     makes a client wait.
//
// # Decisions
//
// 2026-11-26: the queries of all messages are sealed at one place, the group's queue. A new kind of
// message can't forget it. Front ends only seal, and open nothing.
//
// 2026-11-26: a workflow also finishes a purge that found redis down. Until redis answers again,
// front ends find the old copy in the bucket, as they did before the purge.
//
// 2026-11-26: a client pays only for statuses that need a HEAD of the bucket. A limit of all
// statuses would stop scripts that poll a running copy. Keeping the result of a HEAD was rejected:
// a status is never a guess, and the copy may be stored a moment later.
//
// 2026-11-26: a flight belongs to a cache key and a minimum size. The entry of a small object ends
// the flights of larger minimums and restarts the others. The lease stays one for all of them.
// Rejected: to send the smaller minimum to the running copy at once, as for priorities. It would
// cost a message for each object that such requests share, and most objects are large enough.
//
// 2026-11-26: front ends of earlier builds take the entry of a small object for a permanent
// failure. They redirect all clients to the source until it expires, also those without a minimum.
//
// 2026-11-26: a claim in redis, and not the success of a refresh, decides when the next refresh is
// sent. A front end does not know of the success until the entry shows it. A failed refresh is
// tried again after the claim.
//
// 2026-11-26: every Nth hit is audited, not a random one. Hits of many objects mix by themselves,
// and a counter costs less than a random number.
//
// 2026-11-25: a request that the gate or the host's limit refuses costs its client a token.
// Otherwise its lease, its HEAD and its release would be free, at any rate. Rejected: to check the
// gate before the HEAD, which would hide copies that redis has lost.
//
// 2026-11-25: the lease holder checks the limits between the HEAD of the bucket and the message.
// The gate and the host's limit therefore never hide a copy that redis has lost. The client's
// bucket is also checked before the lease, without taking a token. A flood beyond the limit thus
// costs one read of redis per request. Rejected: to take the token at the start of the flight. Each
// front end would spend a token for the same copy, and after a flush of redis, all tokens would be
// used up.
//
// 2026-11-25: 200 copies a second per host, with a burst of 2,000, is four clients at their limit.
// One two-core worker makes 40 to 65 copies a second, so few deployments make more from one host.
// Many addresses together take 40 s at least to fill the backlog of 10,000 tasks.
//
// 2026-11-25: a gate closes at 10,000 tasks, which a few workers take in a minute or two, or at an
// age of 2 minutes. That age is several times the default wait: a new request would get the source
// anyway. The gate opens at 80 % of these limits. For lists it closes at half, so that a list can't
// close it for clients.
//
// 2026-11-25: a flight pays once. If a worker loses the copy, the flight requests it again for
// free.
//
// 2026-11-25: copies are verified when they are served, by the age that their entry's deadline
// shows. A process that has just started, or a target that was evicted, therefore needs no clock.
// The time in [Target] only keeps hits from queueing the target again. A claim in redis makes it
// one HEAD for all front ends. It takes 136 bytes there for VerifyEvery. A front end that loses the
// claim retries when the claim expires. Rejected: to verify on the hit path, and to walk all
// entries, although no client requests most of them any more. Rejected as well: a clock that starts
// with the first serve in a process. It would never verify targets that are not kept.
//
// 2026-11-25: the entry of a missing copy is removed, and the copy is not requested. The next
// client requests it, at its own priority.
//
// 2026-11-25: flights, lists and purges share one type, [Group]. The order "lease, HEAD, queue" was
// written twice before, in different orders; it is [Group.ask] now. A list that is over its rate
// limit releases the lease while it waits for its turn, and asks again then. Rejected: to hold the
// lease. A client would wait for the list's turn, and for a copy at low priority. A process that
// ends would leave the leases of its lists.
//
// 2026-11-22: one flight per object and process, rather than one wait per client. Ten thousand
// clients of an object then cost one read of redis and one wake-up.
package flight
