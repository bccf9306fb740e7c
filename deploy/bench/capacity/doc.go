// Package capacity computes the tables of deploy/CAPACITY.md: the load that each machine carries,
// the number of machines for a load, and their cost in a month.
//
// # Guarantees
//
//   - Each measured figure is in measured.go, with its command and the row of its table. A new
//     measurement changes only that file. Then `go test -p 1 ./capacity ./simulate -update` writes
//     the page.
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
// 20 % less, but no run measured them.
package capacity
