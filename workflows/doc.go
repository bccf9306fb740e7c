// Package workflows holds CopyObject, the workflow that makes one copy of one object, with its id, its timeouts and its
// retry policies. It does no I/O.
//
// It guarantees:
//   - One object has one workflow id, and so one copy at a time.
//   - A copy ends as completed with the object in the bucket, as failed with an error typed by its class after its
//     failure was recorded in the cache, or as cancelled, with clients freed to ask again: at once after a purge, after a
//     back-off if it was an operator.
//   - A copy that is in the bucket is a success even if the cache can't be told: the bucket tells the next client.
//
// 2026-11-22: failures are recorded by the workflow and not by the activity that fails, since only the workflow knows
// that no retry is left.
package workflows
