// Package sqs serves the Amazon SQS API from one process, for development and tests. The AWS SDKs
// call its [Server] as they call the real service, over the AWS JSON 1.0 protocol.
//
// # Guarantees
//
// For standard queues:
//
//   - A message is delivered at least once. One receiver at a time holds it, for the length of its
//     visibility timeout. A delete with its newest receipt handle removes it.
//   - A message that was received maxReceiveCount times without a delete moves to the dead-letter
//     queue of its queue's RedrivePolicy.
//   - A send, an expired visibility timeout and the end of a delay answer a long poll at once.
//   - Errors carry the type and the x-amzn-query-error header of the real service, so that SDKs
//     decode typed errors.
//   - With a state file, queues and messages outlive the process. The server replaces the file
//     atomically, about once a second after a change, and at Close. A kill -9 loses the changes of
//     the last second, except sent messages, which a journal beside the file keeps.
//
// # Decisions
//
// 2026-11-26: the server accepts message groups, keeps them and returns them. It does not deliver
// the messages of quiet groups first, as fair queues of the service do: messages come in the order
// in which they were sent, so that tests see the worst case of a bridge.
//
// 2026-11-22: the server omits these parts of the service:
//
//   - FIFO queues: it refuses to create them.
//   - Permissions.
//   - Encryption: it only stores and returns the settings.
//   - Signatures: it accepts any credentials.
//   - The quotas on messages in flight and on re-creating a queue.
package sqs
