// Package image makes the container image and pushes it, without a container engine.
//
// # Guarantees
//
//   - The image holds the program, and an empty /tmp. It has no shell, no package and no other file.
//   - It runs as a numeric user without rights, which Kubernetes can check (runAsNonRoot).
//   - One reference serves linux/amd64 and linux/arm64.
//   - Two builds of one commit have the same digest. All times are the commit's.
//
// # Decisions
//
// 2026-11-27: go-containerregistry writes the image, as ko does. A container engine was rejected:
// CI and developers would need one, and its digests hold the time of the build.
//
// 2026-11-27: /tmp exists because a worker spools the parts of huge objects there. With a read-only
// root file system, mount an empty folder at it.
//
// 2026-11-27: the CA certificates are in the program; see package build.
package image
