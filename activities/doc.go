// Package activities does the work of a copy: HeadSource, StreamCopy and UpdateCache, the activities of the CopyObject
// workflow, AbortUpload, which cleans up after a copy that is not made, and SweepUploads, which cleans up after those that
// nobody could clean up after. How bytes are moved is package copier's business.
//
// It guarantees:
//   - Each activity can be run again at any point: what it left behind is found or overwritten.
//   - What goes into the history (inputs, results, failures, heartbeats) holds no query of a URL, no credentials, no body
//     of a source, and failures are at most 1 KB.
//   - It is the only place where an error becomes non-retryable, by what the origin or the cache say of it.
//   - An attempt of StreamCopy goes on from what earlier ones have stored, and finds what they have finished. What it
//     leaves behind when it fails is the next attempt's, or AbortUpload's.
//   - A copy never overwrites a newer one, or one that it did not know of.
//   - Redis being down stops no copy; only UpdateCache fails then, and the bucket itself still tells the next client.
//
// When and how often an activity runs is the workflow's business.
//
// 2026-11-25: every key of a history is lowerCamelCase, since a history keeps its keys for ever. origin.Meta had underscores
// (content_type) before; both spellings decode, so recorded histories and open runs work. A rollback to a build before this
// date does not decode the new spelling. It would store copies without their Content-* headers, so terminate open runs
// before such a rollback. No release has the old spelling.
//
// 2026-11-22: a source's query may be a signature, but the workflow must carry it to be retried from its history alone.
// So it is sealed (see [Sealer]) and nothing but an activity can read it.
//
// 2026-11-23: the upload's id is noted in the first heartbeat of an attempt, which the SDK sends at once, before any part
// is stored. Later ones are throttled and may be lost, so which parts there are is asked of the bucket.
package activities
