// Package archives makes the files of a release: the program for each platform, the image, the
// chart, and the checksums.
//
// # Guarantees
//
//   - Two releases of one commit have the same bytes.
//   - The checksums cover every file of the release, in the form that `sha256sum --check` reads.
//
// # Decisions
//
// 2026-11-27: the chart is packaged here instead of by helm: helm writes the time of the build into
// the archive.
//
// 2026-11-27: a chart needs a semantic version, and a commit without a tag has none. Its chart then
// has the version 0.0.0-g and the commit, as Go's pseudo-versions begin with v0.0.0.
package archives
