// Package cache keeps what front ends and workers tell each other about an object: that its copy is present, that one
// is pending, or that the last attempt failed. It lives in redis, as a cache and never as storage: flush it, and nothing
// is lost but the time of a HEAD per object.
//
// It guarantees:
//   - Every change of an entry is one atomic script, so that of any number of callers of [Redis.Acquire] one gets the
//     lease.
//   - A purge leaves a new generation behind. What was begun under an older one can't be published.
//   - An entry never outlives its deadline, whenever redis gets round to deleting the key.
//   - An entry that can't be decoded is absent, is removed, and is counted.
//   - What a [NearCache] keeps in this process is served for 100 ms at most after it has changed in redis, and not at all
//     while redis does not announce changes.
//   - A redis that hangs costs callers in a hurry one or two timeouts, and then nothing until it is tried again.
//   - Whoever waits for an entry through a [Watcher] is woken when it changes, and when the watcher can't tell any more.
//
// It never holds a URL: the front end builds locations from configuration. It does not decide what to do about an
// entry.
//
// 2026-11-24: the layer is ours although the redis client has one. That one is marked as experimental, works in database 0
// alone, keeps replies and not entries, and bounds how stale they are only by forgetting them all the time.
//
// 2026-11-22: a value is the state's name, a space and JSON, so that scripts need no JSON and redis-cli can be read.
package cache
