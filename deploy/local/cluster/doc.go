// Package cluster runs Temporal as a real cluster on the loopback interface. Its parts are
// PostgreSQL, a process for each of Temporal's services, and nginx before the front ends of a stack.
//
// It is for tests and measurements: package stack runs cloud-mirror on it, by its option Temporal.
//
// # Guarantees
//
//   - Two processes share the shards of the history service, so that one can restart while the other
//     has all shards.
//   - A process that dies is restarted; see package supervise. Close leaves no process behind. On
//     Linux neither does a SIGKILL of this process.
//   - PostgreSQL keeps what it has committed when it is killed. It writes to disk as in production.
//   - Close keeps the folder. A folder serves one run.
//
// # Decisions
//
// 2026-11-26: PostgreSQL has Debian's defaults, except for its connections. Temporal has the
// settings of dynamicConfig only, which deploy/README.md asks for.
//
// 2026-11-26: all ports are from one block below 32768. Temporal stores membership ports as signed
// 16-bit numbers.
//
// 2026-11-26: PostgreSQL runs as the user postgres if this process is root. It refuses to run as
// root.
package cluster
