// Package build compiles the product for a release, and lists its modules.
//
// # Guarantees
//
//   - Two builds of one commit have the same bytes, in any folder and on any machine.
//   - A program is static, and holds no path of the machine that built it.
//   - `cloud-mirror version` prints the version of the release.
//
// # Decisions
//
// 2026-11-27: go.mod names the toolchain, and a build uses exactly that version. Another patch
// release of Go would give another digest.
//
// 2026-11-27: the environment of the developer does not reach the compiler: flags, experiments and
// levels of instruction sets are set here.
//
// 2026-11-27: the CA certificates are those of golang.org/x/crypto/x509roots/fallback, which main.go
// compiles in. The bundle of the build machine was rejected: it changes with the machine. A file in
// the image was rejected too: it needs a second source for the archives, and a PEM file can't hold
// Mozilla's limits of single certificates. A system's own certificates win over them.
//
// 2026-11-27: the bill of materials is read from the program, by cyclonedx-gomod. It has no serial
// number and no time, since both would differ between builds.
package build
