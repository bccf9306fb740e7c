// Package queue is the copy-request queue between front ends and bridges, on SQS: the message, its
// sender and its receiver.
//
// # Guarantees
//
//   - A message is deleted only after its handler has returned without an error. A message that a
//     receiver loses is redelivered after the visibility timeout.
//   - A message that is not a copy request goes to the dead-letter queue at once, with the reason
//     in its attributes. It does not delay the rest of its batch.
//   - Dead letters are never consumed here. They wait for a person to redrive them.
//
// SQS delivers at least once and in no order, so handlers must be idempotent:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html
//
// # Decisions
//
// 2026-11-26: audits and refreshes are actions of the same message, of the same version. A bridge
// of an earlier build moves them to the dead-letter queue, where they do no harm: upgrade bridges
// before front ends. Rejected: version 2, which such a bridge moves there as well.
//
// 2026-11-24: a sender makes two attempts at most. A client is waiting, and the second attempt is
// only for a stale connection.
//
// 2026-11-22: the message keeps the envelope and the version number of the original cloud-mirror.
//
// 2026-11-22: the last step of a message (delete it, or move it to the dead-letter queue) ignores
// the receiver's cancellation. Left half done, it would cause the message to be handled again.
package queue
