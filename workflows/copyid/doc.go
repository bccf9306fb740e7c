// Package copyid forms and compares the workflow ids of copies. It is a leaf, so that front ends can
// name a copy's workflow without Temporal.
//
// # Guarantees
//
//   - An id is readable, because lists of the Web UI show it first: pool/host/tail of the path/hash.
//   - An id has at most [Max] bytes, as long as the pool's id has at most 24.
//   - An id is printable ASCII for every URL, because the SDK sends it as a gRPC header. Any other byte
//     would block the workflow for ever.
//   - An id holds nothing of a sealed query, except of the hash.
//
// # Decisions
//
// 2026-11-27: an id ends in 16 of the hash's 64 hex digits, and has at most 96 bytes instead of 255.
// Otherwise the columns Type, Start and End of the Web UI's list are outside of a window 1,600 px wide.
// Two objects share an id only if they share the pool, the tail of the path and 64 bits of SHA-256.
// Among ten million objects whose URLs end alike, that has a probability of 3 in a million. Somebody who
// searches can find such a pair of URLs with 2^32 hashes. It does not harm either object: keys of buckets
// and of redis have the whole hash. While one is copied, a request for the other does not start a copy, and
// its clients get the source. A purge of the other restarts the running copy. Ids of purges have the whole
// hash, because an open purge can be replaced.
//
// 2026-11-27: the ids of earlier builds stay valid for one release. [Earlier] returns them, and [Of]
// accepts them. A bridge looks for a running copy under both ids. The release after the next one needs
// Earlier for purges only.
package copyid
