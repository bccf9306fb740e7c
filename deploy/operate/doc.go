// Package operate has the commands with which operators see and mend requests and copies. They use
// SQS and Temporal directly, so that they work while front ends and workers are down.
//
// # Guarantees
//
//   - A command that changes something reports each object or message with its result. It fails if
//     one of them failed, after it has tried all.
//
//   - No output shows the query of a URL, except the raw body of a dead letter, which must be asked
//     for.
//
//   - Text from messages can't control the terminal: it is quoted, or its control characters are
//     replaced.
//
//   - A dead letter leaves its queue only after its request is in the other queue.
//
//   - A replay reads only. It succeeds only if it read and replayed every listed history that Temporal
//     still had, and at least one.
//
//   - Without --force, no command copies an object whose host or pool is switched off.
//
// # Decisions
//
// 2026-11-27: a purge of many objects lists the bucket, and Temporal's open runs. Both tell the URL
// without its query, and the hash: a purge needs no more. Rejected: a purge by the API of a front
// end, which needs the whole URL. Nothing lists the objects that only redis remembers.
//
// 2026-11-27: a replay compares a history up to its last completed workflow task. No worker has decided
// on later events, and the SDK's replayer mistakes its decisions about them for a difference. On
// a difference, it replays the tasks one by one, so that it names the first task that differs.
//
// 2026-11-27: a replay skips runs of task queues whose names do not start as ours do. They belong
// to other applications. A run in our queues with a type that this build lacks is a difference:
// no worker of this build would continue it.
//
// 2026-11-27: a replay includes runs that a bridge terminated as stuck. Rejected: to skip them by the
// reason of their termination. An operator's query leaves them out, and says so in the record of a
// release.
//
// 2026-11-26: dead letters are listed by receiving and releasing them, since SQS has no call that
// only reads. Two operators who list at the same time see a part each. Letters that a killed
// command holds are shown again after five minutes.
//
// 2026-11-26: a redrive sends the request anew, instead of SQS's own move. The move takes all
// letters of the queue, junk included, and junk comes back.
package operate
