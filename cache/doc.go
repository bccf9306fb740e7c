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
//     Redis remembers the generation for longer than the bucket can hold such a copy: see
//     [Tombstone].
//   - A key names the deployment's prefix, the version of keys and values, the bucket, its endpoint
//     and the object: see [Space]. A value names its key.
//   - [Redis.Drop] never deletes an entry that changed since it was read. One of any number of
//     callers of [Redis.Claim] takes the claim.
//   - An entry never outlives its deadline, no matter when redis deletes the key.
//   - An undecodable entry is absent, is removed, and is counted. So is a value above 8 KiB, one of
//     another redis type, one that names another key, and one with a field that is out of bounds: a
//     deadline beyond [Rules] and a minute, a negative size, or a field of another state.
//   - No call reads more than 8 KiB of a value. A larger one delays no other entry.
//   - An entry has one of [Classes].
//   - A generation that is no number, or is more than an hour ahead, counts as none. So a value in
//     redis blocks no object for longer than [Rules] allow.
//   - A [NearCache] serves an entry from memory for at most 100 ms after it changed in redis, also
//     during a failover or while the slots of a cluster move. It serves none while a master does not
//     send invalidations. Changes that redis itself loses are unknown: replication is asynchronous.
//   - With [Options.Timeout], a circuit breaker limits the cost of a redis that hangs to one or two
//     timeouts. Then calls other than [Redis.Purge] fail at once until redis answers a trial call.
//     Each master of a cluster has its own breaker.
//   - No command is sent twice, unless redis refused it because another node has the key.
//   - If the master has a replica, [Redis.Purge] waits for it, for 500 ms at most.
//   - A [Watcher] wakes the waiters of an entry when the entry changes, and when the watcher can
//     no longer see changes.
//   - A bypass ends at its time, within [MaxBypass]. [Bypasses] knows a change within two seconds.
//
// Values have no signature: every client of redis can forge an entry within these bounds. A forged
// entry leads clients to the object's copy or to its source, and to no other place.
//
// # Decisions
//
// 2026-11-27: a pending or failed entry has the number of attempts, and the time of the next
// attempt. They are plain fields of the JSON: an earlier build ignores them, and an entry without
// them is valid. Rejected: a key of their own, which costs a command per renewal and needs a
// generation of its own.
//
// 2026-11-26: all bypasses are one value that a script exchanges, so that two operators lose no change
// and a read is bounded. Rejected: a key for each, which redis can list only by a scan; and a setting,
// which needs a restart of every front end.
//
// 2026-11-27: readers write the bypasses again that redis has lost. An empty list stays in redis,
// so that a removal differs from a loss. A list has an id, so that a reader also knows a loss by
// the list that an operator began after it. The reader then adds what it knew. Rejected: a file for
// each front end, which an operator in a hurry can't change everywhere at once.
//
// 2026-11-26: `redis.url` says by its form whether there are sentinels or a cluster. The URL of
// sentinels is the library's. A cluster has a scheme of its own, because the library's URL of a
// cluster differs from that of one server in nothing: one with a single node would be ambiguous.
//
// 2026-11-26: in a cluster, a call goes to the client of its key's master. The library's client of
// the cluster finds that master, and follows redirects. It would also repeat commands after I/O
// errors, and one breaker for all masters would let a lost one stop the others.
//
// 2026-11-26: [NearCache] is fresh only while all masters are. Freshness per slot would keep the
// entries of other masters in memory while one is lost. It would cost each hit the CRC of its key,
// for the seconds of a failover.
//
// 2026-11-26: trackers of replicated masters send ROLE instead of PING. A former master keeps its
// connections after a handover, and answers PING.
//
// 2026-11-26: the script of a purge reports the number of replicas, from INFO. A count that is kept
// in the process would be wrong after a failover, and ROLE is not allowed in scripts.
//
// 2026-11-26: a near cache forgets all entries by a new table. Hits read redis meanwhile, and wait
// for the mutex. Invalidating each of 100,000 entries held it for 75 ms, and for 2 s on a busy
// machine. A new table takes 30 µs (BenchmarkForgetAll). Rejected: an epoch in each entry, which
// takes memory.
//
// 2026-11-26: a [NearCache] keeps a present entry in 48 bytes instead of 184, and the state's name is
// a constant: as a part of the value it kept the value in memory.
//
// 2026-11-26: a deadline beyond the rules is refused rather than shortened. A shortened deadline
// would move with each read, so a key without an expiry would never end. When `cache.ttl` is
// lowered, longer entries cost a HEAD of the bucket each.
//
// 2026-11-26: reads are pipelined GETRANGEs. An MGET sends whole values, so that a value of 100 MB
// delays all others. It also fails as a whole across the slots of a redis cluster.
//
// 2026-11-26: values have no MAC. It needs a key in every process, and its rotation. A forged 4xx
// or a stale hit, which it would prevent, ends with the entry.
//
// 2026-11-26: a purge also purges the entry of earlier builds, if the prefix is the default one.
// Reading the generations of earlier builds as well would cost each write a command in another
// slot.
//
// 2026-11-25: an error's entry says by itself how front ends answer: whether the status is about
// the object, whether a client may wait for the next try, and until when. An earlier front end
// ignores the new fields: it passes on every 4xx, and waits.
//
// 2026-11-24: [NearCache] is our own although the redis client has one. The client's is marked as
// experimental, works only in database 0, and keeps replies instead of entries. It bounds their
// staleness only by flushing them all the time.
//
// 2026-11-22: a value is the state's name, a space and JSON. Scripts need no JSON decoder, and an
// operator can read values with redis-cli.
package cache
