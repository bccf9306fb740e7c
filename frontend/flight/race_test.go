//go:build race

package flight

const manyClients = 200_000
