// Package operate has the commands with which operators see and mend requests and copies. They use
// SQS and Temporal directly, so that they work while front ends and workers are down.
//
// # Guarantees
//
//   - A command that changes something reports each object or message with its result. It fails if
//     one of them failed, after it has tried all.
//   - No output shows the query of a URL, except the raw body of a dead letter, which must be asked
//     for.
//   - Text from messages can't control the terminal: it is quoted, or its control characters are
//     replaced.
//   - A dead letter leaves its queue only after its request is in the other queue.
//
// # Decisions
//
// 2026-11-26: dead letters are listed by receiving and releasing them, since SQS has no call that
// only reads. Two operators who list at the same time see a part each. Letters that a killed
// command holds are shown again after five minutes.
//
// 2026-11-26: a redrive sends the request anew, instead of SQS's own move. The move takes all
// letters of the queue, junk included, and junk comes back.
package operate
