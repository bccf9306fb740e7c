//go:build !race

package flight

const manyClients = 1_000_000
