// Package client is the caller's side of a front end: it builds redirect URLs, downloads objects
// through redirects, and purges objects. It knows the front end's HTTP API and nothing behind it.
//
// # Guarantees
//
//   - A downloaded file exists only as a whole, and with the requested digest.
//   - No error holds the object's URL, which may hold a signature.
//
// # Decisions
//
// 2026-11-22: downloads request no content coding, so that a file has the bytes that the bucket
// stores.
package client
