package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// The subcommands that this program runs as other processes. The sources take their addresses. The
// others take a task as JSON, and write an outcome.
const (
	runSources = "sources"
	runCopy    = "copy"
	runLimit   = "limit"
)

func main() { process.Main("bench-copy", run) }

func run(ctx context.Context, args []string) error {
	if len(args) == 3 && args[0] == runSources {
		return serveSources(args[1], args[2])
	}
	if len(args) == 2 && (args[0] == runCopy || args[0] == runLimit) {
		return runTask(ctx, args[0], args[1])
	}
	t, err := flags(args)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, t)
	if err != nil {
		return err
	}
	table, err := b.measure(ctx)
	if err := errors.Join(err, b.close()); err != nil {
		return err
	}
	fmt.Println(b.describe(ctx))
	table.Print(os.Stdout)
	return nil
}

// flags are for experiments. Their defaults are the product's.
func flags(args []string) (t task, err error) {
	def := config.Default()
	set := flag.NewFlagSet("bench-copy", flag.ExitOnError)
	set.TextVar(&t.PartSize, "part-size", def.S3.PartSize, "s3.part_size")
	set.TextVar(&t.Memory, "memory", def.Worker.Memory, "worker.memory")
	set.IntVar(&t.Parts, "parts", def.Worker.Parts, "worker.parts")
	set.StringVar(&t.only, "only", "", "measure only objects whose description contains this text; no crowd, no stream, no kill -9. \"kill\" measures only slow sources, with kill -9")
	set.StringVar(&t.Profile, "profile", "", "folder for a CPU profile of each copy by the product")
	_ = set.Parse(args) // ExitOnError
	t.Region, t.Endpoint, err = endpoint(os.Getenv("CM_TEST_S3_ENDPOINTS"))
	return t, err
}

// endpoint reads the first of region=url,region=url.
func endpoint(list string) (region, url string, err error) {
	first, _, _ := strings.Cut(list, ",")
	region, url, ok := strings.Cut(first, "=")
	if !ok {
		return "", "", errors.New("CM_TEST_S3_ENDPOINTS is not set: run `make bench-copy`")
	}
	return region, url, nil
}
