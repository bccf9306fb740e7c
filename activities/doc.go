// Package activities does the work of a copy: HeadSource, StreamCopy and UpdateCache, the activities of the CopyObject
// workflow.
//
// It guarantees:
//   - Each activity can be run again at any point: what it left behind is found or overwritten.
//   - What goes into the history (inputs, results, failures, heartbeats) holds no query of a URL, no credentials, no body
//     of a source, and failures are at most 1 KB.
//   - It is the only place where an error becomes non-retryable, by what the origin or the cache say of it.
//   - Redis being down stops no copy; only UpdateCache fails then, and the bucket itself still tells the next client.
//
// When and how often an activity runs is the workflow's business.
//
// 2026-11-22: a source's query may be a signature, but the workflow must carry it to be retried from its history alone.
// So it is sealed (see [Sealer]) and nothing but an activity can read it.
package activities
