// Package redact knows which part of a source's URL may be shown: in keys of buckets, workflow ids
// and histories, logs, errors and metadata.
//
// # Guarantees
//
//   - The part that may be shown ends before the query. The query may be a signature.
//   - A URL in the path of another URL, as on a mirror of a mirror, has its query hidden as well,
//     however often it is percent-encoded.
//   - The rule is the same everywhere. Only this package decides.
//
// # Decisions
//
// 2026-11-26: an encoded question mark in a file name hides the rest of the name. Whether it starts
// a query is unknown, and a name is worth less than a signature. The rule does not look through
// base64.
package redact
