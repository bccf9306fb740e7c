// Command release builds the container image, and the files of a release. `make image`, `make
// push-image` and `make release` run it.
//
// # Guarantees
//
//   - It needs no container engine, and no network except for Go modules. A push needs the registry.
//   - A failed release leaves the files of an earlier release alone.
//   - A push without a repository is refused before anything is built.
//
// # Decisions
//
// 2026-11-27: a separate Go module, because the product does not need a registry's client.
package main
