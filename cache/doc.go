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
//   - Whoever waits for an entry through a [Watcher] is woken when it changes, and when the watcher can't tell any more.
//
// It never holds a URL: the front end builds locations from configuration. It does not decide what to do about an
// entry.
//
// 2026-11-22: a value is the state's name, a space and JSON, so that scripts need no JSON and redis-cli can be read.
package cache
