// Package paths knows how servers may read the path of a source's URL. Some decode it twice, drop
// the parameters of a segment, or take a backslash for a slash.
//
// # Guarantees
//
//   - A path that does not leave, by [Leaves], stays below any folder that it begins with, however
//     a server reads it.
//   - The rule is the same everywhere. The front end and package origin both ask this package.
//
// # Decisions
//
// 2026-11-26: a dot segment also ends at an encoded semicolon, question mark, number sign or space.
// A fuzz target found that "..%3f" leads to the parent on a server that decodes a path first.
package paths
