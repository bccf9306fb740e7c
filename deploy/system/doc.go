// Package system opens the parts of a deployment and runs them: a front end, a worker, or the set-up. A subcommand of
// the binary is one call of this package.
//
// # Guarantees
//
//   - A mistake in the configuration stops the start with one line that names the key.
//   - A front end starts while redis, SQS and S3 are down.
//   - The admin listener serves until all other parts have ended, so that an operator can watch a shutdown.
//
// # Decisions
//
//   - 2026-11-25: Everything that was in main.go and is no flag lives here, so that tests and the benchmark reach it.
//     Package transfer is separate because the benchmark must not link Temporal.
package system
