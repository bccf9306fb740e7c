// Package tools provides the programs that a local set-up runs: third-party servers in pinned
// versions, and the product itself. It builds each pinned program once, from the Go module proxy.
//
// # Guarantees
//
//   - A pinned program is built at most once per version, even if many processes request it at the
//     same time.
//   - A half-written program is never visible: a build happens in its own folder, and a rename
//     publishes the result.
//   - A build does not depend on the current folder, nor on the user's GOFLAGS, GOOS or workspace.
//   - make test installs missing programs only, and leaves those that exist alone.
//   - The user sees the progress of a build: a spinner on a terminal, lines elsewhere.
//
// # Decisions
//
// 2026-11-26: Temporal's server is built like the other servers. The module proxy has its releases, and
// images of it would need a container engine.
//
// 2026-11-23: MinIO is pinned to a commit. The module proxy has no releases of it.
//
// 2026-11-22: the Temporal CLI is pinned to version 1.5.1, the newest that builds from the module
// proxy. Version 1.9.1 does not.
package tools
