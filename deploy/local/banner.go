package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"text/tabwriter"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// printBanner prints the version, the address of every part and the first commands to try.
func printBanner(w io.Writer, s *stack.Stack, version string) {
	fmt.Fprintf(w, "\n%s is running.\n\n", version)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(what, part, where string, note ...any) {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", what, where, process(s, part), fmt.Sprint(note...))
	}
	for i, base := range s.FrontEndURLs() {
		name := stack.FrontEndName(i)
		row(name, name, base, "/v1/redirect/s3/REGION/URL /v1/mirror/s3/REGION/local/PATH")
		row("  health, metrics", "", s.AdminURL(name), "/healthz /readyz /metrics")
	}
	for _, region := range stack.Regions() {
		name := stack.WorkerName(region)
		row(name, name, s.AdminURL(name), "the page for people; /healthz /readyz /metrics")
	}
	row("Temporal", "temporal", s.TemporalAddress(), temporalNote(s))
	if ui := s.TemporalUIURL(); ui != "" {
		row("  Web UI", "", ui)
	}
	row("redis", "redis", s.RedisURL(), s.RedisKind())
	for _, region := range stack.Regions() {
		row("S3 "+region, stack.S3Name(region), s.S3Endpoint(region), "access key ", stack.AccessKey, ", secret key ", stack.SecretKey)
	}
	row("SQS", "sqs", s.SQSEndpoint())
	row("origin", "origin", s.OriginURL(), "serves ", s.OriginDir())
	_ = t.Flush()

	// The same as encodeURIComponent: the URL has no space, which QueryEscape would encode
	// differently.
	object := url.QueryEscape(s.OriginURL() + "/hello.txt")
	fmt.Fprintf(w, `
  token        %s
  logs         %s

Sources on loopback are allowed here: this is a local set-up.

Mirror an object, then look at its workflow:
  curl -L %s/v1/redirect/s3/%s/%s
  make temporal ARGS="workflow list"
Get a file of the origin through the mirror route:
  curl -L %s/v1/mirror/s3/%s/local/files/hello.txt

Ctrl-C stops everything; the state is kept, make clean removes it.

`, stack.PurgeToken, s.LogDir(), s.FrontEndURLs()[0], stack.Regions()[0], object, s.FrontEndURLs()[0], stack.Regions()[0])
}

// temporalNote names the namespace, and tells an existing Temporal from the stack's own.
func temporalNote(s *stack.Stack) string {
	note := "namespace " + s.TemporalNamespace()
	if !s.OwnTemporal() {
		note += ", existing: Ctrl-C leaves it running"
	}
	return note
}

// process describes the process of a part.
func process(s *stack.Stack, part string) string {
	switch pid := s.PID(part); pid {
	case 0:
		return ""
	case os.Getpid():
		return fmt.Sprintf("pid %d (this process)", pid)
	default:
		return fmt.Sprintf("pid %d", pid)
	}
}
