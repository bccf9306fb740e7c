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
//   - A cost of one hit or one copy is marked if it is more than twice the smallest size's. The cost
//     of all work then grows faster than the work. Memory is marked if it grows faster than the size.
//   - A hit or a copy of a workflow section that fails ends the benchmark. A mark does not.
//
// # Decisions
//
// 2026-11-26: the clients of hits have a schedule, and a process of their own. Their rate is the same
// for every size, so that a cost per hit has the same share of wake-ups.
//
// 2026-11-26: the front ends of all sizes run at the same time and are measured in turn. Other load
// on the machine then affects all of them.
//
// 2026-11-26: the workflows that fill Temporal's database have one task, which records eight markers:
// 13 events, as many as a copy with local first attempts has. They have no activities, so their rows
// in task queues and timers are gone. They have no search attributes either, so their row in the
// visibility store is shorter than a copy's. An activity for each would take hours.
//
// 2026-11-26: the source of the backlog holds each request for five seconds. The backlog then lasts
// for the measurement. The worker is frozen while the messages are sent, so that the queue has all
// of them at the start.
package main
