// Command simulate computes how a burst of cold objects queues, for any number of machines. It is a
// discrete-event simulation: it needs no servers, and its figures do not depend on the machine.
//
// A request passes the limits of the front end, SQS, a bridge, Temporal with its shards and its
// database, a slot of a worker, the source and S3, and wakes its client. The times of each part are
// the measured ones of package capacity.
//
// Run it with `make simulate`. ARGS="-h" lists its flags.
//
// # Guarantees
//
//   - A seed and the flags decide the whole output.
//   - Each request ends in one way, or still waits: it gets its copy, or the source at a limit or at
//     the end of its wait.
//   - With the measured times, the simulated rate and median of 500 cold objects are within 20 % of
//     the measured ones, on the dev server and on PostgreSQL.
//   - Single stations agree with the formulas of Erlang C and of Pollaczek and Khinchine.
//
// # Decisions
//
// 2026-11-26: machines of one kind are one queue with the cores of all of them, and the limits of
// each front end add up. A load balancer that spreads unevenly makes waits longer. The pools of all
// regions are one pool.
//
// 2026-11-26: copies wait in the order of their arrival, and source hosts take turns for slots. So
// the simulation has neither the overtaking of too few pollers nor the 2 s after which a worker
// hands a waiting copy back. Both change who waits, and not how much work there is.
//
// 2026-11-26: a bridge has the product's own window, and the simulated time that Temporal takes for a
// start. Messages in SQS and in its memory are one queue, in which hosts take turns.
//
// 2026-11-26: a copy is a row of equal rounds through Temporal, one for its start and one for each
// task. A round holds its history shard while it writes, since a shard does one write at a time
// (history.shardIOConcurrency).
//
// 2026-11-26: only successes are simulated: no retries, no dead machines, no large objects.
package main
