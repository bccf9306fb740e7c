// Command requests measures the main job on the local stack. First requests of objects wait for a
// copy, and further requests find it.
//
// Run it with `make bench`. ARGS="-h" lists its flags.
//
// # Guarantees
//
//   - A request without a redirect to a copy fails the benchmark. A missed target does not.
//
// # Decisions
//
// 2026-11-22: the baseline is an empty workflow in the same run. It has three activities, as a copy
// has.
package main
