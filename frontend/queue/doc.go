// Package queue is the copy-request queue between front ends and bridges, on SQS: the message, its
// sender and its receiver.
//
// # Guarantees
//
//   - A message is deleted only after its handler has returned without an error. A message that a
//     receiver loses is redelivered after 10 s, and one that it could not handle after the visibility
//     timeout.
//   - A message that is not a copy request goes to the dead-letter queue at once, with the reason
//     in its attributes. It delays no other message.
//   - A reason, an error and a report repeat nothing of such a message.
//   - A slow message delays no other message, as long as fewer are slow than the receiver handles.
//   - Among received messages source hosts take turns. Purges come first, and requests that no
//     client waits for come last. [Receiver.Window] limits the requests in flight, except purges.
//     The received messages are bounded by number and by bytes.
//   - SQS hides a received message from other receivers until it is handled. A stopping receiver
//     gives back the messages that it has not handled: SQS shows them at once. Those of a killed one
//     become visible after 10 s at most, and so do those with which SQS answers a receive
//     that the stop has interrupted.
//   - Every message fits into the dead-letter queue. A body above 64 KiB is cut, and characters
//     that SQS refuses are replaced. The attributes then hold the original's length and SHA-256.
//     The attributes of the message itself are dropped.
//   - Dead letters are never consumed here. They wait for a person to redrive them.
//
// SQS delivers at least once and in no strict order, so handlers must be idempotent:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html
//
// # Decisions
//
// 2026-11-27: the trace of a request is in attributes of its message, by their names in W3C's Trace
// Context. A dead letter loses them: its trace has ended long before it is redriven.
//
// 2026-11-27: the id of a request is a field of the message, which keeps its version. An earlier bridge
// ignores an unknown field. Rejected: an attribute, which a dead letter loses.
//
// 2026-11-26: while few messages wait in SQS, a receiver takes only as many as its window has room
// for, and three more. Another process, whose window is larger, gets the rest. Otherwise bursts of 500
// requests by 50 clients, and three bridges, had a p99 of up to 16 times the median. It is 1.2 to
// 1.7 times now. A message that is old when it comes shows that many wait. Then the receiver takes
// all that it can: a single message of another host may be next. Five seconds are old in any case:
// 150 objects of a slow source, whose pace is low, otherwise held up another source for ten seconds.
// It does so until a receive has no message of half that age, and 50 are left here. Without the
// half, a pace that varied had a receiver stop with 60 messages: another host waited for 15 s, and
// once for more than 28 s. Without the rest, each new message stopped one of the receives.
// With two seconds, a burst on a slow machine had a p99 of 2.7 times the median. Rejected: pauses
// between small receives, which left up to forty messages to the slowest of the bridges; and a full
// batch as the sign that many wait.
//
// 2026-11-26: a receiver takes messages ahead into memory, by default 1,000. SQS delivers roughly
// in the order of sending. A burst of one host would otherwise hold up each later request until the
// whole burst is started. Before, a receiver also waited for the slowest message of its batch.
// Rejected: a second queue, which changes deployments and only moves the burst; and a larger
// number, since a killed receiver delays all messages that it holds. Each stop or kill of a
// receiver costs its messages one of sqs.max_receives.
//
// 2026-11-26: a message that has become visible before its turn is not handled: SQS delivers it
// again. A process that was frozen for minutes would otherwise repeat the work of others.
//
// 2026-11-26: a hash of the source's host is the MessageGroupId. Since July 2025, SQS delivers
// messages of quiet groups first if another group has more than 10 % of the messages in flight, and
// at least 30. So SQS finds the single object behind a burst that exceeds the intake, too. Lists
// have groups of their own. A server that refuses groups gets the messages without.
//
// 2026-11-26: a request with a query in its URL is sent with version 2: its query is sealed. An
// earlier bridge would ignore the sealed query and copy another object, so the version must change.
// It moves such a message to the dead-letter queue. Requests without a query keep version 1, so
// that a rollback loses few requests. This package does not seal: front ends and bridges do, with
// package seal.
//
// 2026-11-26: a dead letter holds at most 64 KiB of its body. A reason did not fit behind a body of
// 1 MiB, so such a message came back until SQS itself moved it, without a reason. Requests have a
// few KiB. Rejected: to leave the body as long as it fits, since junk is not worth its storage.
//
// 2026-11-26: audits, refreshes and deletes are actions of the same message, of the same version. A
// bridge of an earlier build moves them to the dead-letter queue: upgrade bridges before front
// ends. An audit or a refresh is lost there without harm. A delete is a purge to finish: redrive
// it. Rejected: another version, which such a bridge moves there as well.
//
// 2026-11-24: a sender makes two attempts at most. A client is waiting, and the second attempt is
// only for a stale connection.
//
// 2026-11-22: the message keeps the envelope and the version number of the original cloud-mirror.
//
// 2026-11-22: the last step of a message (delete it, or move it to the dead-letter queue) ignores
// the receiver's cancellation. Left half done, it would cause the message to be handled again.
package queue
