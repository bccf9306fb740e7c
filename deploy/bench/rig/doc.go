// Package rig runs front ends without the rest of the system. redis is real. Stubs answer for S3
// and SQS.
//
// # Guarantees
//
//   - Close ends redis and removes all files. The caller stops the front ends.
//
// # Decisions
//
// 2026-11-26: benchmarks of hits share the rig, because a hit needs neither S3 nor SQS. It was a
// part of bench-redirect.
package rig
