// Command hits measures whether hits wait for the system's other work: copies, waiting clients,
// purges, and a redis that fails.
//
// It starts the whole system for each kind of work. A client requests existing copies, first alone
// (quiet) and then beside the work. Run it with `make bench-hits`. ARGS="-h" lists its flags. On
// two quiet cores it takes about 9 minutes.
//
// # Guarantees
//
//   - A hit has a schedule. Its latency counts from the scheduled time.
//   - A hit without a redirect to the copy has failed. Its latency is infinite.
//   - Missing work fails the benchmark: fewer than 1,000 copies, fewer waiting clients, or refused
//     purges. A missed bound does not.
//
// # Decisions
//
// 2026-11-26: the bound is twice the quiet p99 plus 5 ms. While redis fails, it is 2 s for the
// slowest hit.
//
// 2026-11-26: the table shows the idle part of the processors. All processes share them, so a full
// machine delays every process. The rows named niced run everything except the front end, its
// client and redis at nice 10: they show the delay that the front end itself adds.
//
// 2026-11-26: redis keeps its priority in those rows. At nice 10 it answered PINGs too late. The
// front end then trusts no entry in its memory, and all hits read redis.
//
// 2026-11-26: this is no part of bench-neighbours. There one client or dependency misbehaves,
// within low limits. Here all clients behave, and the limits are the product's defaults, except
// that new copies have no limit per client.
//
// 2026-11-26: a quarter of the hits read redis, as in bench-neighbours.
package main
