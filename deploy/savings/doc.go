// Package savings computes what the mirror saves and what it costs, from the metrics of front ends
// and workers. It is the command `cloud-mirror savings`.
//
// # Guarantees
//
//   - Every number is an amount that was measured, multiplied with a price of the configuration.
//     The output lists the assumptions that are neither.
//   - A pool whose redirects or whose copies no process reports is an error: one of them alone
//     would show a saving that is wrong.
//   - No output and no error holds the user, the password or the query of a given URL.
//
// # Decisions
//
// 2026-11-26: Prometheus gives a period, because it knows resets and processes that are gone. A
// scrape gives the time since the start of each process. Its amounts are scaled to a month by the
// uptime of that process.
//
// 2026-11-26: the saving is net of the copy's own way across the border, so that an object that is
// redirected to once saves nothing.
//
// 2026-11-26: the break-even size follows from the number of redirects for each copy. The ratio of
// their bytes was rejected: large objects dominate it, and the size decides about small ones.
package savings
