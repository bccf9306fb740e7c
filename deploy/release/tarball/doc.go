// Package tarball writes tar archives that depend on nothing but their input.
//
// # Guarantees
//
//   - Equal entries and times give equal bytes. Owners, groups and access times are not written.
//   - Every entry has the one time of its archive.
package tarball
