// Package seal hides the queries of source URLs in workflow histories and queue messages. A query
// may be a signature. The rest of a URL stays readable, so that operators find an object.
//
// # Guarantees
//
//   - A sealed object shows that its URL has a query, and the query's length. It shows nothing else
//     of the query, except by the hash of the whole URL.
//   - A sealed query opens only with the service, region, URL and hash that it was sealed with. An
//     object without a query has nothing sealed: Open compares its URL with its hash, and not its
//     service and region.
//   - An error holds no key and no query.
//
// # Decisions
//
// 2026-11-26: the sealer is a room of its own, because front ends seal too, and may not import
// activities.
//
// 2026-11-22: AES-256-GCM with the other fields as additional data. A sealed query can't be moved
// to another object.
package seal
