// Command copies measures the copy of a single object by three programs:
//
//   - The product's copier, as the worker opens it (package transfer).
//   - `rclone copyurl`, if it is installed.
//   - The limit: a GET that drops the object, followed by a PUT from memory.
//
// It needs an S3 server: run it with `make bench-copy`. ARGS="-h" lists its flags.
//
// # Guarantees
//
//   - Every measured copy is a process, timed from its start to its end. The CPU time of the
//     sources and of the S3 server is not counted, although they share the processors.
//   - A copy of the wrong size, or made in an unexpected way, fails the benchmark. A missed target
//     does not.
//
// # Decisions
//
// 2026-11-25: this is a command of its own because a measured process must not link Temporal. That
// would cost it 14 ms and 17 MiB.
//
// 2026-11-24: `make bench-copy` keeps the objects in memory if there is room for them. Otherwise
// the disk of the S3 server would be measured.
package main
