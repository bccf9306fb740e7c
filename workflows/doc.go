// Package workflows holds CopyObject, the workflow that makes one copy of one object, with its id, its timeouts and its
// retry policies. It does no I/O.
//
// It guarantees:
//   - One object has one workflow id, and so one copy at a time.
//   - A copy ends as completed with the object in the bucket, as failed with an error typed by its class after its
//     failure was recorded in the cache, or as cancelled, with clients freed to ask again: at once after a purge, after a
//     back-off if it was an operator.
//   - What was stored in parts of a copy that is not made is freed before the failure is recorded; SweepUploads, started by
//     a schedule, frees what could not be.
//   - Attempts of a copy that makes progress are not used up.
//   - A copy that is in the bucket is a success even if the cache can't be told: the bucket tells the next client.
//
// 2026-11-22: failures are recorded by the workflow and not by the activity that fails, since only the workflow knows
// that no retry is left.
//
// 2026-11-23: large objects have a task queue of their own, since a worker's slots can't be told apart by activity: small
// ones would wait behind them.
package workflows
