// Package workflows holds the workflow CopyObject, which makes one copy of one object, and those
// that look after copies: SweepUploads, AuditCopy, RefreshCopy and PurgeCopy. It holds their ids,
// timeouts and retry policies, and does no I/O.
//
// # Guarantees
//
//   - One object has one workflow id, and so one copy at a time.
//   - A copy ends in one of three ways. Completed: the object is in the bucket, or is smaller than
//     the minimum of every request, which the result says. Failed: the cache holds the failure,
//     unless redis is down, and the error's type is its class. Cancelled: clients can request the
//     copy again, at once after a purge, and after cache.negative_ttl if an operator cancelled it.
//   - No request is lost. If it arrives while the workflow runs, the next stored entry answers it,
//     or a further copy in the same run.
//   - A purge ends only a copy that started before it, no matter how late and how often it is
//     signalled.
//   - Activities rank low only while no client waits for the copy: a client's request raises their
//     priority. The workflow's own tasks never rank low.
//   - Stored parts of a copy that is not made are freed before the failure is recorded.
//     SweepUploads, which a schedule starts, frees the rest.
//   - A copy in parts does not run out of attempts while it makes progress: a series of attempts is
//     final only if it stored no part to resume from.
//   - A copy in the bucket is a success even if the cache can't be updated: the next client's
//     request finds it in the bucket.
//   - A run that completes has a copy in the bucket, or none because the object is too small. If
//     UpdateCache finds no copy, the run fails. If the bucket or redis does not answer UpdateCache,
//     the run completes with published false, and the cache has no entry of it.
//   - PurgeCopy is repeated until the purge is finished.
//   - HeadSource and UpdateCache start with a local attempt of at most 2 s. A failure that may be
//     temporary is followed by the ordinary activity, with its durable retries. The marker of the
//     local attempt keeps the failure. HeadSource of a copy with low priority is never local.
//   - A run has the lowest minimum size of all its requests. A request never causes a second
//     download of an object that was copied for another minimum.
//
// # Decisions
//
// 2026-11-27: the outcome of a round is in search attributes, by one update at its end. A small
// object that was found, or copied at the first attempt, gets none: the update is a fifth action on
// Temporal Cloud beside four, and raises the size from which a copy pays by a fifth
// (TestDefaultMinimumBreaksEven).
//
// 2026-11-27: MirrorErrorClass has the status behind BadHTTPStatus. The class alone is the contract of
// HTTP answers, and a list of 404 and 503 under one class told operators nothing.
//
// 2026-11-26: HeadSource and UpdateCache start with a local attempt, in the worker that has the
// workflow task. A copy of a small object has 15 events instead of 23. It takes 14.2 ms of
// Temporal's CPU time instead of 21.9, which is 0.88 of an empty workflow of three activities
// instead of 1.32 (medians of three runs in turns, on a busy machine). On a slower machine, cold
// objects by 50 clients took 26.4 copies a second instead of 18.1, and p99 was 3.3 s instead of
// 3.9 s. The first request of a small object took 58.3 ms instead of 76.9 ms. Build 149b8ee is the
// other side; the window and the order of copies changed too.
//   - StreamCopy stays an ordinary activity: it may last for hours, and needs heartbeats.
//   - A signal that arrives during a local attempt waits for the end of the workflow task, at most
//     2 s for each attempt. A purge then ends the copy in its next activity. If the run would
//     close, Temporal refuses that, and the worker repeats the task with the signal. The history
//     then has a failed workflow task with the cause UnhandledCommand. UpdateCache runs twice,
//     which stores the same entry.
//   - Temporal does not wait for the end of a local attempt that timed out. So the attempt checks
//     its context before each write. A write in flight can arrive late, as that of an ordinary
//     attempt can. The generation of a purge stops it, and so does a present entry.
//   - A worker that dies in a local attempt loses its workflow task. Temporal gives the task to
//     another worker after the task's timeout. The history has a timed-out workflow task and no
//     failed attempt.
//   - A local attempt has no priority. So the HeadSource of a list's copy is an ordinary activity,
//     as before: thousands of them must not fill the slots of workflow tasks. UpdateCache never
//     ranked low.
//   - The change has a version marker ("local-first"). Earlier runs continue without local
//     attempts. Workers of earlier builds can't continue runs with them: upgrade all workers, and
//     terminate open runs before a rollback.
//   - The marker costs two events, a marker and the search attribute TemporalChangeVersion. That is
//     the only search attribute that a successful copy changes. Builds with and without the marker
//     took 14.2 and 15.1 ms of Temporal's CPU time for a copy (as above): the difference is noise.
//     The SDK ignores a version marker that the code does not ask for. So the check can be removed
//     once no run of an earlier build is open, and later histories replay.
//   - In the Web UI (2.42), each step keeps its name in both forms, and StreamCopy its bar with its
//     attempts. Three things are less clear. A local attempt is a point, without its duration. Its
//     failure is in the event, and not red in the timeline, so the summary of the ordinary activity
//     repeats it. A worker that died in a local attempt leaves a gap until the task's timeout, and
//     the list of events a timed-out workflow task without the name of the step.
//   - Eager starts work if the bridge runs in the pool's own worker, so for one of three copies
//     with three bridges. Builds with and without them took 16.7 and 14.6 ms of Temporal's CPU time
//     for a copy (as above). They save none, so more of them across bridges would not pay. Eager
//     activities stay on: they hand StreamCopy to the worker that ended HeadSource.
//
// 2026-11-26: the death of a worker is noticed within 6 s by a copy with the first request, and
// within 12 s by a copy in parts, instead of 15 s. A heartbeat timeout also runs while Temporal is
// away, and ends all copies when Temporal returns. Twelve seconds outlive an outage of eight to
// ten. A small object is soon fetched again, so it needs no such reserve. A killed worker's copy in
// parts was resumed after 12.4 s, and a client had its small object after 9.2 s. Rejected: 9 s for
// both. Every longer outage of Temporal, or failover of a history shard, would end all copies, and
// streams would restart. A worker that dies in a workflow task is noticed after 5 s ([TaskTimeout])
// instead of 10 s. The copy still heartbeats once a second, so Temporal has no more work.
//
// 2026-11-26: a sweep ends after two hours ([SweepTimeout]). A run that does not replay would block the
// schedule for ever, since a schedule starts no run while one is open.
//
// 2026-11-26: each purge that PurgeCopy finishes is a workflow, named by its generation. With one
// workflow for an object, a later purge would attach to an earlier purge, which leaves the copies
// that are newer than itself. A purge without a generation, because redis was down, replaces the
// open run of such a purge: that run may have made its generation before a copy that the new purge
// is for.
//
// 2026-11-26: a run that does not replay keeps failing its workflow task (the SDK's policy
// BlockWorkflow), and the bridge replaces it on the next request: see package worker. Rejected: the
// policy FailWorkflow. While builds are mixed during an upgrade, it would fail every run that the
// other build can continue, and would lose the requests that were signalled to it.
//
// 2026-11-26: an error of type "" that is not retryable comes from `temporal activity fail`. The
// SDK gives no such error to the activities of this project. Its details are ignored: an operator
// could write a failure of ours there.
//
// 2026-11-26: an object that is too small completes its run. It is the expected end for many
// objects, and must not look like a fault in lists of failed runs. Its class is a search attribute
// all the same, so that operators can find such runs. The result of StreamCopy decides the path, so
// no version marker is needed. Only runs that took it fail to replay with an earlier build.
// Terminate them before a rollback.
//
// 2026-11-26: audits and refreshes are workflows of their own rather than signals of CopyObject: a
// copy that has ended has no run. Their ids end in the object's hash, like those of copies, so that
// a sweep leaves the upload of a running refresh alone.
//
// 2026-11-25: requests and purges of a running copy are signals. The bridge starts a workflow with
// conflict policy FAIL, and signals a run that is already open. Before, it used USE_EXISTING: a
// request could attach to a run that was about to close, and all of its clients waited out the
// lease. The server closes no run that has unhandled signals. Rejected: SignalWithStart. It costs
// each copy an event and the eager start: 6 events and 9.5 ms (median of 400 empty workflows on a
// dev server) instead of 5 and 5.8 ms. Workers of earlier builds ignore the signals. Their runs
// lose a request as before, and end at a purge when they renew the lease. Upgrade all workers.
// Before a rollback, terminate open runs. Runs that copied an object again, or got a raised
// priority, don't replay (see also package activities).
//
// 2026-11-25: a purge does not cancel HeadSource, and a cancellation waits for its attempt. An
// attempt that continued after the end of its run stored a pending entry, and clients waited for
// it.
//
// 2026-11-25: a purge is a signal rather than a cancellation, so that a run can tell it from an
// operator's. A run that an operator cancelled makes no further copy.
//
// 2026-11-25: low priority is an option of the activities, not of the workflow, because the
// workflow can change it. The server can't move a queued activity, so the workflow cancels it and
// schedules it again. A workflow does not see its activities start. The bridge therefore reports
// whether the activity is queued.
//
// 2026-11-25: the task queue of large objects is chosen after the first request to the source,
// whose response tells the size. A history of an earlier build has the size in HeadSource's result,
// so the data decide which path a run takes, and no version marker is needed.
//
// 2026-11-23: large objects have a task queue of their own. A worker's slots can't be reserved by
// activity, so small objects would wait behind large ones.
//
// 2026-11-22: the workflow records failures, not the activity that fails, because only the workflow
// knows that no retry is left.
package workflows
