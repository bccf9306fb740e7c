// Package savings computes what the mirror saves and what it costs, from the metrics of front ends
// and workers. It is the command `cloud-mirror savings`.
//
// # Guarantees
//
//   - Every number is a measured amount, multiplied by a price of the configuration. The output
//     lists all other assumptions.
//   - A pool needs both its redirects and its copies in the metrics. One of them alone would show a
//     wrong saving, so a missing one is an error.
//   - No output and no error holds the user, the password or the query of a given URL.
//
// # Decisions
//
// 2026-11-26: Prometheus gives a period, because it knows resets and ended processes. A scrape
// gives the time since the start of its process. Its amounts are scaled to a month by that time.
//
// 2026-11-26: the saving is net of the copy's own way across the border. An object with a single
// redirect saves nothing.
//
// 2026-11-26: the break-even size follows from the number of redirects for each copy. The ratio of
// their bytes was rejected: large objects dominate it, and the size decides about small ones.
package savings
