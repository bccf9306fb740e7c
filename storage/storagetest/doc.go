// Package storagetest supports tests of packages that use storage: [Memory] is a bucket without a
// server, [Run] is the contract suite, and [Proxy] injects faults before a real S3 server.
//
// # Guarantees
//
//   - [Memory] and [storage.Bucket] pass the same suite, so a test with [Memory] holds for real
//     buckets too.
//
// # Decisions
//
// 2026-11-22: the bucket's own tests need real S3 servers. Without them they fail instead of
// skipping, because they would prove nothing.
package storagetest
