package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/pprof"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// system is the stack that all tests share. Each test uses its own objects.
type system struct {
	*stack.Stack
	auditing
	temporal client.Client
	// authority listens at the only host of source.authoritative_4xx.
	authority *net.TCPListener
}

var sys system

// runLimit bounds the start of the stack and all tests. It is less than the Makefile's -timeout,
// after which go test ends this process and no function here runs.
const runLimit = 39 * time.Minute

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "cloud-mirror-e2e-")
	if err != nil {
		return 0, err
	}
	defer func() {
		if code != 0 || err != nil {
			keepLogs(dir)
		}
		os.RemoveAll(dir)
	}()
	root, err := stack.FindRoot(".")
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	if sys.authority, err = net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		return 0, err
	}
	defer sys.authority.Close()
	if sys.canary, err = auditor.NewCanary(canaryHost + ":0"); err != nil {
		return 0, err
	}
	defer sys.canary.Close()
	go sys.lag.Run(ctx)
	sys.Stack, err = stack.Start(ctx, stack.Options{
		Root: root, StateDir: dir, FrontEnds: 2, Race: true, Log: os.Stderr,
		Env: settings(), OnMessage: sys.journal.Message,
	})
	if err != nil {
		return 0, err
	}
	defer sys.Close()
	sys.temporal, err = client.Dial(client.Options{HostPort: sys.TemporalAddress(), Logger: quiet{}})
	if err != nil {
		return 0, err
	}
	defer sys.temporal.Close()
	if err := startAudit(ctx); err != nil {
		return 0, err
	}
	defer sys.auditor.Close()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			giveUp(dir)
		}
	})()
	code = m.Run()
	// Send the secret no matter which tests ran, so that the logs could show it.
	target := redirectURL(0, "us-west-2", "http://127.0.0.1:1/?sig="+secret, "?max_wait=0")
	if _, err := request(http.MethodGet, target, ""); err != nil {
		return code, err
	}
	found, err := auditRest(ctx)
	for _, v := range found {
		err = errors.Join(err, fmt.Errorf("audit: %s", v))
	}
	return code, errors.Join(err, inspectLogs(sys.LogDir()))
}

// settings returns the differences from the local stack. Tests wait less for a lost message, a
// lost lease, a back-off and a source that stalls. Redis has 1 s instead of 50 ms to answer. On a
// busy machine an answer takes 50 ms now and then. Without redis the front end sends a second copy
// request and a HEAD, and tests count both.
//
// Little memory leaves a worker 30 slots for large objects, which raisedShape fills with 32 copies.
func settings() []string {
	return []string{
		"CLOUD_MIRROR_LOG_LEVEL=debug", "CLOUD_MIRROR_CACHE_RETRY_AFTER=2s", "CLOUD_MIRROR_REDIS_TIMEOUT=1s",
		"CLOUD_MIRROR_SQS_VISIBILITY_TIMEOUT=5s", "CLOUD_MIRROR_CACHE_LEASE=20s", "CLOUD_MIRROR_WORKER_MEMORY=320MiB",
		"CLOUD_MIRROR_SOURCE_STALL_TIMEOUT=" + stallTimeout.String(), "CLOUD_MIRROR_SOURCE_USER_AGENT=" + agent,
		"CLOUD_MIRROR_SOURCE_ALLOWED_NETWORKS=127.0.0.0/9 ::1/128", // Without the canary's
		"CLOUD_MIRROR_SOURCE_AUTHORITATIVE_4XX=" + sys.authority.Addr().String(),
	}
}

// giveUp ends this process although tests run. It prints their goroutines, searches the logs and
// keeps them.
func giveUp(dir string) {
	fmt.Fprintln(os.Stderr, "e2e: tests still run after", runLimit)
	_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
	if err := inspectLogs(sys.LogDir()); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
	}
	keepLogs(dir)
	if err := errors.Join(sys.Close(), os.RemoveAll(dir)); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
	}
	os.Exit(1)
}

// keepLogs copies the logs of a failed run out of the state folder, which the run then removes. It
// prints their new folder.
func keepLogs(dir string) {
	kept, err := os.MkdirTemp("", "cloud-mirror-e2e-logs-")
	if err == nil {
		err = os.CopyFS(kept, os.DirFS(filepath.Join(dir, "logs")))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e: logs not kept:", err)
		return
	}
	fmt.Fprintln(os.Stderr, "e2e: logs of all processes:", kept)
}

// inspectLogs returns an error if a log contains a data race, a panic, or the secret in the query
// of the source URLs. It also fails if no log contains a redirect, which could show the secret.
func inspectLogs(dir string) error {
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(logs) == 0 {
		return fmt.Errorf("no logs in %s", dir)
	}
	redirects := 0
	for _, name := range logs {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		redirects += bytes.Count(data, []byte(`"message":"redirect"`))
		for _, bad := range []string{"WARNING: DATA RACE", "panic: ", secret} {
			if i := bytes.Index(data, []byte(bad)); i >= 0 {
				return fmt.Errorf("%s has %q: …%s…", name, bad, data[max(0, i-500):min(len(data), i+3000)])
			}
		}
	}
	if redirects == 0 {
		return fmt.Errorf("no log in %s has a redirect, which could show the secret", dir)
	}
	return nil
}

// quiet drops the log messages of the tests' own Temporal client.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
