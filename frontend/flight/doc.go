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
//   - The first client that waits for a copy that only a list requested requests it again, at its own
//     priority.
//   - A lease is always followed by a message, by an entry for a copy found in the bucket, or by
//     its release. A client that leaves can't prevent that. The lease of a process that dies
//     expires.
//   - A waiting client is woken by redis. The flight polls the bucket only while redis is down.
//   - A client whose wait would end before the next try at a copy that failed is told so at once.
//   - At most MaxWaiters clients wait, and at most MaxWaitersPerObject of them for one object. The
//     others are reported as [Outcome].Full at once.
//   - A dependency that hangs costs its first callers under a second. Then its circuit breaker
//     opens and later callers skip it.
//   - A copy that was deleted in the bucket is noticed by a HEAD after it was served. All front
//     ends together send at most one such HEAD for an object in VerifyEvery, and none while redis
//     is down. A process sends at most 20 a second to a pool.
//   - Such a HEAD only removes or shortens entries. It restores none that was purged, and removes
//     none that changed during the HEAD.
//   - A copy that was started before a purge is not published after it and, while redis is up, is
//     not found in the bucket.
//
// # Decisions
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
