// Package workflows holds the workflow CopyObject, which makes one copy of one object, and
// SweepUploads. It holds their ids, timeouts and retry policies, and does no I/O.
//
// # Guarantees
//
//   - One object has one workflow id, and so one copy at a time.
//   - A copy ends in one of three ways. Completed: the object is in the bucket. Failed: the cache
//     holds the failure, unless redis is down, and the error's type is its class. Cancelled:
//     clients can request the copy again, at once after a purge, and after a back-off if an
//     operator cancelled it.
//   - Stored parts of a copy that is not made are freed before the failure is recorded.
//     SweepUploads, which a schedule starts, frees the rest.
//   - A copy in parts does not run out of attempts while it makes progress: a series of attempts is
//     final only if it stored no part to resume from.
//   - A copy in the bucket is a success even if the cache can't be updated: the next client's
//     request finds it in the bucket.
//
// # Decisions
//
// 2026-11-25: the task queue of large objects is chosen after the first request to the source, whose
// response tells the size. A history of an earlier build has the size in HeadSource's result, so the
// data decide which path a run takes, and no version marker is needed.
//
// 2026-11-23: large objects have a task queue of their own. A worker's slots can't be reserved by
// activity, so small objects would wait behind large ones.
//
// 2026-11-22: the workflow records failures, not the activity that fails, because only the workflow
// knows that no retry is left.
package workflows
