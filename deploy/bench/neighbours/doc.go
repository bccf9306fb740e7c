// Command neighbours measures the load that one client or one dependency puts on other clients.
//
// It starts the whole system for each attack. Two well-behaved clients use the front end, first
// alone (quiet) and then beside the attack. The first client requests existing copies. The second
// client requests new objects.
//
// Run it with `make bench-neighbours`. ARGS="-h" lists its flags.
//
// # Guarantees
//
//   - Requests have a schedule. A latency counts from the scheduled time, so a stalled front end
//     delays no request unnoticed.
//   - A request without a redirect to a copy has failed. Its latency is infinite.
//   - An attack that did not run fails the benchmark. A missed bound does not.
//
// # Decisions
//
// 2026-11-25: each attack has a system of its own, because the effects of an attack can last for
// hours. The quiet phase before it, and those of the attacks beside it, are its baseline. A noisy
// machine then affects both sides.
//
// 2026-11-25: clients are told apart by their loopback addresses. The attacker and its source have
// another address than the two clients and their source.
//
// 2026-11-25: a quarter of the hits read redis, because a full redis does not affect a redirect
// from memory. A client closes each connection after a few requests, because idle connections can
// starve only new ones.
//
// 2026-11-25: attacks have moderate rates. All processes share the machine, so a flood would
// measure its processors.
package main
