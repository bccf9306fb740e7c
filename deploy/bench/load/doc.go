// Package load is the load of clients on a front end: a schedule of requests, the clients that send
// them, and the latencies that they see.
//
// # Guarantees
//
//   - A latency counts from the scheduled time. A stalled front end delays no request unnoticed.
//   - A request without a redirect to a copy has failed. A quantile counts its latency as infinite.
//
// # Decisions
//
// 2026-11-26: benchmarks share these clients, so that their latencies mean the same. They were a
// part of bench-neighbours.
package load
