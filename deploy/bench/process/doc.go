// Package process runs the processes of a benchmark: the servers around it, and the programs that
// it measures.
//
// # Guarantees
//
//   - Start returns a server that accepts connections, or an error and no process.
//   - A process ends at the latest when its context does.
//   - The figures of Run cover one process from its start to its end.
//
// # Decisions
//
// 2026-11-23: a measured program is a process, not a goroutine. Its CPU time and its peak memory
// are then its own. The sources of a benchmark are a process as well. Their CPU time stays out of
// the figures, and the benchmark stays small; see [Usage].
//
// 2026-11-23: the sources end when their standard input does. That also holds if the benchmark is
// killed with SIGKILL.
package process
