// Chaos runs the whole system with many clients, injects faults by a seeded schedule, and lets
// package auditor check everything at the end. `make chaos SEED=7 FOR=10m` runs it.
//
// # Guarantees
//
//   - The same seed and the same duration give the same schedule, objects and clients. Their
//     interleaving with the system is not repeated.
//   - It exits with status 1 if the auditor found a violation. It then prints the violations with
//     the faults and runs of their objects, and keeps logs and evidence in a folder.
//   - It ends only processes that it started.
//
// # Decisions
//
// 2026-11-26: the first half of a run has one fault at a time, the second half pairs. A pair that
// fails is easier to read if its faults alone do not fail.
//
// 2026-11-26: SQS and the source run inside this process, so that they can't be stopped by a
// signal. Their proxies hang instead.
//
// 2026-11-26: clients read copies, and never the source. The ledger of the source then holds the
// requests of the product alone.
package main
