package main

import (
	"fmt"
	"os"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/cluster"
)

type clusterCommand struct{}

// Run is the subcommand cluster. A signal ends it without an error.
func (clusterCommand) Run(env environment) error {
	dir, err := os.MkdirTemp("", "cloud-mirror-cluster-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, err := cluster.Start(env.ctx, cluster.Options{Root: env.root, Dir: dir, Log: os.Stderr})
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Println()
	for _, name := range c.Names() {
		fmt.Printf("  %-20s pid %d\n", name, c.PID(name))
	}
	fmt.Printf(`  logs                 %s

Use it in another terminal:
  export TEMPORAL_ADDRESS=%s
  make run
  make bench

Ctrl-C stops everything, and nothing is kept.

`, c.LogDir(), c.TemporalAddress())
	<-env.ctx.Done()
	return nil
}
