// Command scale measures how costs grow with the size of the system: the cost of a hit with the
// objects known and with the connections open, and the cost of a cold copy with the workflows in
// Temporal's database and with the messages in the queue.
//
// Run it with `make bench-scale`. ARGS="-h" lists its flags. On two quiet cores all sections take
// less than 30 minutes: hits 5, connections 3, workflows 12, backlog 6.
//
// # Guarantees
//
//   - A growth compares two sizes of one run. The smallest size of a section is its baseline.
//   - A cost of one hit or one copy is marked above twice that of the smallest size. The cost of all
//     work then grows faster than the work.
//   - Memory, and the latency beside a backlog, are marked if they grow faster than the size.
//   - A failed hit, or a failed copy of the workflows section, ends the benchmark. A mark does not.
//
// # Decisions
//
// 2026-11-26: the clients of hits have a schedule and their own process. Their rate is the same for
// every size, so that a cost per hit has the same share of wake-ups.
//
// 2026-11-26: the front ends of all sizes run at the same time and are measured in turn. Other load
// on the machine then affects all of them.
//
// 2026-11-26: connections are measured beside 90,000 redirects. They almost fill a front end with
// default settings, and its memory limit must hold both.
//
// 2026-11-26: the workflows in Temporal's database are fillers. Each has one task with eight
// markers: 13 events, as many as a copy with local first attempts. They have neither activities nor
// search attributes, so their rows in the visibility store are shorter. Rejected: real copies. They
// would take an hour.
//
// 2026-11-26: the source of the backlog holds each request for five seconds. The backlog then lasts
// for the measurement. The workers are frozen while the messages are sent, so that the queue has all
// of them at the start.
//
// 2026-11-26: the figure of Temporal per copy is without its idle CPU. Its timers and queues cost as
// much without copies.
package main
