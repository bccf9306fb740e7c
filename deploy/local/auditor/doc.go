// Package auditor checks a system after a scenario. It compares the records of all parts: the
// source's ledger, the clients' answers, buckets, queues, histories, redis, logs and metrics. The
// end-to-end tests and the program chaos use it.
//
// # Guarantees
//
// The nine checks are:
//
//  1. bytes: a redirect to a bucket leads to exactly the bytes that the source served once, whole.
//  2. messages: each accepted message ended as a copy, an error with a reason, or a dead letter.
//  3. fetches: the source served an object once for each pool, purge and injected crash. The bytes
//     in excess are at most those that each of them reads again. Bytes on their way to a range whose
//     connection the product gives up may be sent twice.
//  4. uploads: no upload is open after the sweep.
//  5. leases: no entry is pending without an open run, or beyond its lease.
//  6. connections: no process dialled a forbidden address.
//  7. usage: memory, goroutines and descriptors are back at their base.
//  8. secrets: no planted secret is in a log, a metric, redis, a queue, a history or a bucket.
//  9. answers: each request ended within its wait and a second, with a documented status below 500
//     or 503.
//
// Each check is a function of [Evidence]. TestEachCheckFindsItsViolation plants one violation of
// each, beside a clean system. TestAuditorFindsPlantedViolations in package e2e plants them in real
// servers.
//
// # Decisions
//
// 2026-11-26: the auditor does not import the product. It reads keys, entries and messages as a
// stranger does. Otherwise a fault in a shared function would hide itself.
//
// 2026-11-26: a fault allows the runs that it meets one more fetch, not all objects. An allowance
// for all objects would excuse a third GET anywhere.
//
// 2026-11-26: memory may exceed its base by the pooled buffers, and it has 150 s to return. Go
// frees pooled memory at its second collection, which comes after two minutes without allocations.
package auditor
