// Package cache stores the state of an object that front ends and workers share: its copy is
// present, its copy is pending, or the last attempt failed. Redis holds this state as a cache and
// never as storage: flush it, and nothing is lost but the time of a HEAD per object.
//
// The package never stores a URL: the front end builds locations from configuration. It does not
// decide what to do about an entry.
//
// # Guarantees
//
//   - Every change of an entry is one atomic script, so exactly one of any number of callers of
//     [Redis.Acquire] gets the lease.
//   - A purge leaves a new generation. A copy that started under an older one can't be published.
//   - [Redis.Drop] never deletes an entry that changed since it was read. One of any number of
//     callers of [Redis.Claim] takes the claim.
//   - An entry never outlives its deadline, no matter when redis deletes the key.
//   - An undecodable entry is absent, is removed, and is counted.
//   - A [NearCache] serves an entry from memory for at most 100 ms after it changed in redis. It
//     serves none while redis does not send invalidations.
//   - With [Options.Timeout], a circuit breaker limits the cost of a redis that hangs to one or two
//     timeouts. Then calls other than [Redis.Purge] fail at once until redis answers a trial call.
//   - A [Watcher] wakes the waiters of an entry when the entry changes, and when the watcher can
//     no longer see changes.
//
// # Decisions
//
// 2026-11-25: an error's entry says by itself how front ends answer: whether the status is about the
// object, whether a client may wait for the next try, and until when. An earlier front end ignores
// the new fields: it passes on every 4xx, and waits.
//
// 2026-11-24: [NearCache] is our own although the redis client has one. The client's is marked as
// experimental, works only in database 0, and keeps replies instead of entries. It bounds their
// staleness only by flushing them all the time.
//
// 2026-11-22: a value is the state's name, a space and JSON. Scripts need no JSON decoder, and an
// operator can read values with redis-cli.
package cache
