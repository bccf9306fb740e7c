// Package cachetest supports tests of packages that use cache: [Memory] is a cache without a
// server, and [Run] is the contract suite.
//
// # Guarantees
//
//   - [Memory], [cache.Redis] and [cache.NearCache] pass the same suite, so a test with [Memory]
//     that relies only on [Cache] holds for redis too.
//
// # Decisions
//
// 2026-11-22: the cache's own tests need a real redis. Without one they fail instead of skipping,
// because they would prove nothing.
package cachetest
