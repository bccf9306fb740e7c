// Package origin serves the files of a folder over HTTP. A local set-up mirrors from it, so that it
// needs no network.
//
// # Guarantees
//
//   - GET and HEAD work, with ranges, conditional requests and strong ETags.
//   - The handler serves only files, and none outside the folder.
//
// # Decisions
//
// 2026-11-22: an ETag is made of the size and the modification time, not of the content. It changes
// with the content as far as the file system can tell.
package origin
