// Package queue is the copy-request queue between front ends and bridges: the message, its sender and its receiver, on
// SQS.
//
// It guarantees:
//   - A message is deleted only after its handler has returned without an error; one that a receiver loses comes back
//     after the visibility timeout.
//   - A message that is not a copy request goes to the dead-letter queue at once, with the reason in its attributes, and
//     does not hold up the others of its batch. Dead letters are never consumed here: they are for redrive by a person.
//
// SQS delivers at least once and in no order: handlers must be idempotent.
package queue
