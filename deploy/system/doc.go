// Package system opens the parts of a deployment and runs them: a front end, a worker, or the
// set-up. A subcommand of the binary is one call of this package.
//
// # Guarantees
//
//   - A mistake in the configuration stops the start with one line that names the key.
//   - A front end starts while redis, SQS and S3 are down.
//   - The memory limit of a front end leaves room for its connections, within a second.
//   - The admin listener serves until all other parts have ended, so that an operator can watch a
//     shutdown.
//
// # Decisions
//
// 2026-11-26: the memory limit of a front end follows its connections. A fixed limit for all that
// frontend.max_conns permits would let a front end with few connections grow by half a gigabyte,
// because GOGC is high. Without room for connections, 15,000 of them beside 90,000 redirects made
// a hit cost 404 µs of CPU instead of 69 (`make bench-scale ARGS="-only connections -sizes 15000"`).
//
// 2026-11-25: main.go keeps the flags only. Tests and benchmarks can't import a main package.
// Package transfer is separate because the copy benchmark must not link Temporal.
package system
