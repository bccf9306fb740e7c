// Package e2e tests cloud-mirror on a real Temporal cluster: package cluster runs PostgreSQL, a
// process for each of Temporal's services, and nginx. Package stack runs two front ends, two workers
// in each region, two bridges and the other services. `make test-cluster` runs the tests, and prints
// a table of figures. The package holds tests only.
//
// # Guarantees
//
//   - All clients go through nginx. Each answer is checked against the API reference, its wait and a
//     second; see package auditor.
//   - TestEachProcessIsKilledOnce kills every process of the system, one by one, under load.
//   - Each test ends with an audit of its source's objects.
//   - The run fails if no test ran. It keeps the logs of a failed run, and prints their folder.
//
// # Decisions
//
// 2026-11-26: the product has no race detector here. Package e2e of the local stack has it, and the
// figures need processes as in production.
//
// 2026-11-26: a request whose front end is killed may take twice its wait. nginx sends it to the other
// front end, which can't know how long the client has waited.
package e2e
