// Command requests measures the main job on the local stack. First requests of objects wait for a
// copy, and further requests find it.
//
// Run it with `make bench`. ARGS="-h" lists its flags.
//
// # Guarantees
//
//   - A request without a redirect to a copy fails the benchmark. A missed target does not.
//   - CPU time covers the processes of the stack only. The load, the sources, the empty workflow's
//     worker and SQS are in the benchmark's own process.
//   - TEMPORAL_ADDRESS, or a profile of temporal.toml, names an existing Temporal to measure on.
//
// # Decisions
//
// 2026-11-26: bursts of empty workflows and of first requests take turns, so that noise of the
// machine hits both. Each figure is the median over the rounds. The empty workflow's worker has
// autoscaled pollers, as cloud-mirror's workers have. Otherwise its own bursts have a long tail.
//
// 2026-11-26: a burst goes to one of the three regions. Its tail is the longest there: all of its
// tasks are in one task queue, and two of three bridges can't start its workflows eagerly. Another
// burst goes to all regions, without a target.
//
// 2026-11-26: the rate limits of one client and of one source host are off. All requests come from
// one address.
//
// 2026-11-26: CPU time for each copy is in the table, because it hardly depends on what else the
// machine does.
//
// 2026-11-22: the baseline is an empty workflow in the same run. It has three activities, as a copy
// has.
package main
