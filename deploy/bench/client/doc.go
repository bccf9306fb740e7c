// Package client requests redirects of a front end, as the clients of all benchmarks do, and reads what
// processes measure of themselves.
//
// # Guarantees
//
//   - A client follows no redirect.
//   - Only a presigned location is a copy: a redirect to the source has no signature.
package client
