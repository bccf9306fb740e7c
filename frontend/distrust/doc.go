// Package distrust tests front ends on a real redis that holds entries of other deployments, and
// values that no build of this product writes. It has no code.
//
// # Guarantees
//
//   - For any value in redis, a front end answers by the HTTP contract, and never with a 5xx.
//   - A Location is the source, or the object's key in the configured bucket.
//   - A client reads no text out of redis: an error class is one of [cache.Classes]. An operator
//     with the scope status reads the fields cause and owner of a status, which redis may have
//     forged.
//
// # Decisions
//
// 2026-11-26: these tests have a package of their own, since they need a server. The tests of
// package frontend need none, and run in seconds.
package distrust
