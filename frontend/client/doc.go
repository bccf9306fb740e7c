// Package client is the caller's side of a front end: it builds redirect URLs, downloads objects through them and purges
// objects.
//
// It guarantees that a downloaded file is there whole, and with the digest that was asked for, or not at all. It knows the
// HTTP API and nothing of what is behind.
package client
