// Command dashboards writes Grafana's dashboard of a deployment, cloud-mirror.json. Run
// `make dashboard` after a change.
//
// # Guarantees
//
//   - cloud-mirror.json is what this program writes.
//   - Prometheus's own parser accepts each query.
//   - Each metric of a query is in deploy/METRICS.md, and so in a real /metrics. Each label of ours in
//     a query is one of its metric.
//
// # Decisions
//
// 2026-11-27: the dashboard is built with Grafana's grafana-foundation-sdk, so that the compiler knows
// its fields. JSON that is exported from Grafana was rejected: a review can not follow it.
//
// 2026-11-27: the dashboard has Grafana's first schema, although the library prefers the second: every
// Grafana in use imports the first.
//
// 2026-11-27: the package is a module of its own. Its libraries would be a third of the product's
// go.mod.
//
// 2026-11-27: the data source and the pools are variables of the dashboard, and it names no job and no
// host. It works for every deployment that Prometheus scrapes.
package main
