// Package setup creates the resources that a deployment needs and does not run. It creates buckets
// with their lifecycle rules, the queue with its dead-letter queue, and Temporal's search
// attributes and schedules.
//
// # Guarantees
//
//   - Set-up is idempotent: it leaves a resource alone that exists as configured.
//   - It never changes a resource that is not ours.
//   - A failed step does not stop the others.
//
// # Decisions
//
// 2026-11-22: the room that owns a resource creates it. This package only runs the steps and prints
// their lines, and imports no room.
package setup
