package main

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/deploy/system/transfer"
)

const (
	bucketName = "bench-copy"
	poolParts  = 128 // Pools[].max_parts
)

// task is the work of a measured process.
type task struct {
	Region, Endpoint string
	PartSize, Memory config.Size
	Parts            int
	// Before is copied first, if it is set. The process then has connections and buffers for
	// Copies.
	Before *job
	Copies []job
	// State is the path of a file for the state of the copy, which resumes from it if the file
	// exists. Without a path no state is kept.
	State   string
	Profile string
	only    string // Of the whole benchmark
}

// job is the copy of one object.
type job struct {
	URL, Key string
	Size     int64
}

// outcome is the report of a measured process.
type outcome struct {
	Way      string
	Resumed  int64         // Bytes
	Get, Put time.Duration // Of the limit
	// Wall and CPU cover the copies without the start of the process and without [task.Before].
	Wall, CPU time.Duration
}

// runTask is the main function of a measured process.
func runTask(ctx context.Context, what, arg string) error {
	var t task
	if err := json.Unmarshal([]byte(arg), &t); err != nil {
		return err
	}
	do := copyAll
	if what == runLimit {
		do = copyLimit
	}
	out, err := do(ctx, t)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// settings are the product's, with the sources and the bucket of this benchmark.
func (t task) settings() config.Config {
	cfg := config.Default()
	cfg.Source.Allowed, cfg.Source.EnsureSSL = []string{"http://127.0.0.1:*/"}, false
	cfg.Source.AllowedNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	cfg.S3.PartSize, cfg.Worker.Memory, cfg.Worker.Parts = t.PartSize, t.Memory, t.Parts
	cfg.Pools = []config.Pool{{
		Service: "s3", Region: t.Region, Bucket: bucketName, Endpoint: t.Endpoint, PathStyle: true, MaxParts: poolParts,
	}}
	return cfg
}

// open opens the sources and the bucket as the worker does.
func (t task) open(ctx context.Context) (*transfer.Ends, error) {
	cfg := t.settings()
	aws, err := cfg.AWS(ctx, zerolog.Nop())
	if err != nil {
		return nil, err
	}
	return transfer.Open(cfg, aws, transfer.Options{})
}
