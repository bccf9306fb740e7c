// Package supervise keeps child processes running. A [Process] starts a child, waits until it is
// ready, restarts it when it dies, and stops it for good.
//
// # Guarantees
//
//   - A child that exits before its first readiness is an error with the last lines of its log. It
//     is not restarted.
//   - After that, a child that dies is restarted, however often and for whatever reason. The pause
//     before a restart is 100 ms at first and doubles up to 5 s. An uptime of 10 s resets it.
//   - A child has its own process group, so that a Ctrl-C in the terminal reaches the supervisor
//     alone.
//   - Close leaves no process behind. On Linux a SIGKILL of the supervisor leaves none either.
//
// # Decisions
//
// 2026-11-22: each child is started, and awaited, on one locked OS thread. Linux sends a child the
// signal of its parent's death when the thread that started it exits.
//
// 2026-11-22: no context ends a child. The context of an [exec.Cmd] would kill only the child, and
// not the rest of its process group.
package supervise
