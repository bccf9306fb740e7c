// Package transfer opens both ends of the copies of a deployment: the sources and the buckets of
// its pools. The copiers stand between them.
//
// # Guarantees
//
//   - Opening does no I/O.
//   - The package links no Temporal.
//
// # Decisions
//
// 2026-11-25: it is separate from package system so that the benchmark copies with the worker's
// parts, and without Temporal's. Linking the Temporal SDK costs a process 14 ms and 17 MiB before
// it copies a byte.
package transfer
