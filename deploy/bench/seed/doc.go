// Package seed makes copies exist on the local stack without copying: it puts objects into the
// bucket, and their entries into redis.
//
// # Guarantees
//
//   - Copies returns when a front end redirects to every copy without a HEAD of the bucket.
//
// # Decisions
//
// 2026-11-26: entries follow the product's own rules, by package cache. They were a part of
// bench-neighbours.
package seed
