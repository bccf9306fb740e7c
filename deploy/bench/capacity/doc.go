// Package capacity computes what deploy/CAPACITY.md says: what one machine carries, how many
// machines a load needs, and what they cost in a month.
//
// # Guarantees
//
//   - Each measured figure is in measured.go, with the command and the row that it comes from. A new
//     measurement changes only that file. `go test -p 1 ./capacity ./simulate -update` then writes the
//     page.
//   - Each assumption is in assumed.go, and each price in prices.go or in package config.
//   - A figure without a run is printed as [RUN: command → row], with its provisional value.
//
// # Decisions
//
// 2026-11-26: the page is computed rather than written. The tests compare it with the code, as
// those of package config compare the table of settings. A new measurement thus can't leave a
// derived number behind.
//
// 2026-11-26: prices of transfer, S3 and Temporal Cloud are those of package config, and
// [savings.NewBalance] applies them. Prices of machines are here, because the product needs none.
//
// 2026-11-26: machines have x86 processors, like the measured machine. Graviton machines cost about
// 20 % less, but no run shows what they carry.
package capacity
