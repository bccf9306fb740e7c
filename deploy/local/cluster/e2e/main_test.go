package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/cluster"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// system is the cluster and the stack that all tests share. Each test uses its own objects.
type system struct {
	*stack.Stack
	cluster  *cluster.Cluster
	temporal client.Client
	journal  auditor.Journal
	auditor  *auditor.Auditor
	statuses map[string][]string
	secrets  []auditor.Secret
	lag      auditor.Lag    // Of this process
	pings    [2]auditor.Lag // Of each front end
	ran      atomic.Int64   // Tests

	mu            sync.Mutex
	frontEndKills []time.Time
}

var sys system

const (
	// runLimit bounds the start and all tests. It is less than the Makefile's -timeout.
	runLimit = 28 * time.Minute
	lease    = 20 * time.Second
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err == nil && code == 0 && sys.ran.Load() == 0 {
		err = errors.New("no test ran")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	var dirs [2]string
	for i, name := range []string{"cluster", "stack"} {
		if dirs[i], err = os.MkdirTemp("", "cloud-mirror-"+name+"-"); err != nil {
			return 0, err
		}
		defer os.RemoveAll(dirs[i])
	}
	defer func() {
		if code != 0 || err != nil {
			keepLogs(dirs[:])
		}
	}()
	if err := start(ctx, dirs[0], dirs[1]); err != nil {
		return 0, errors.Join(err, stop())
	}
	go sys.lag.Run(ctx)
	for i := range sys.pings {
		go ping(ctx, i)
	}
	code = m.Run()
	return code, stop()
}

func start(ctx context.Context, clusterDir, stackDir string) error {
	root, err := stack.FindRoot(".")
	if err != nil {
		return err
	}
	if sys.cluster, err = cluster.Start(ctx, cluster.Options{Root: root, Dir: clusterDir, Log: os.Stderr}); err != nil {
		return err
	}
	sys.Stack, err = stack.Start(ctx, stack.Options{
		Root: root, StateDir: stackDir, FrontEnds: 2, WorkersPerRegion: 2, Bridges: 2, Temporal: sys.cluster.Temporal(),
		Log: os.Stderr, Env: settings(), OnMessage: sys.journal.Message,
	})
	if err != nil {
		return err
	}
	if err := sys.cluster.StartNginx(ctx, sys.FrontEndURLs()); err != nil {
		return err
	}
	options := sys.TemporalClient()
	options.Logger = quiet{}
	if sys.temporal, err = client.DialContext(ctx, options); err != nil {
		return err
	}
	if sys.statuses, err = auditor.Statuses(ctx, sys.Stack); err != nil {
		return err
	}
	if sys.secrets, err = auditor.Credentials(sys.Stack); err != nil {
		return err
	}
	sys.auditor, err = auditor.New(ctx, sys.Stack, &sys.journal, nil)
	return err
}

// settings returns the differences from the local stack. Tests wait less for a lost message, a lost
// lease, a back-off and a source that stalls. nginx is a trusted proxy.
func settings() []string {
	return []string{
		"CLOUD_MIRROR_CACHE_RETRY_AFTER=2s", "CLOUD_MIRROR_CACHE_LEASE=" + lease.String(), "CLOUD_MIRROR_REDIS_TIMEOUT=1s",
		"CLOUD_MIRROR_SQS_VISIBILITY_TIMEOUT=5s", "CLOUD_MIRROR_SOURCE_STALL_TIMEOUT=5s", "CLOUD_MIRROR_REGION_TRUSTED_HOPS=1",
	}
}

func stop() (err error) {
	if sys.auditor != nil {
		err = sys.auditor.Close()
	}
	if sys.temporal != nil {
		sys.temporal.Close()
	}
	if sys.Stack != nil {
		err = errors.Join(err, sys.Close())
	}
	if sys.cluster != nil {
		sys.cluster.Close()
	}
	return err
}

// keepLogs copies the logs of a failed run out of the folders that the run then removes.
func keepLogs(dirs []string) {
	kept, err := os.MkdirTemp("", "cloud-mirror-cluster-logs-")
	for _, dir := range dirs {
		logs := filepath.Join(dir, "logs")
		if _, missing := os.Stat(logs); missing == nil && err == nil {
			err = os.CopyFS(filepath.Join(kept, filepath.Base(dir)), os.DirFS(logs))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster e2e: logs not kept:", err)
		return
	}
	fmt.Fprintln(os.Stderr, "cluster e2e: logs of all processes:", kept)
}

const (
	pingEvery = 50 * time.Millisecond
	// pingTakes is how long a ping may take before the machine is late.
	pingTakes = 20 * time.Millisecond
)

// ping measures how late a front end answers a request that needs only the processor.
func ping(ctx context.Context, number int) {
	for ctx.Err() == nil {
		began := time.Now()
		resp, err := http.Get(sys.FrontEndURLs()[number] + "/v1/ping")
		if err == nil {
			resp.Body.Close()
			if took := time.Since(began); took > pingTakes {
				sys.pings[number].Add(took)
			}
		}
		pause(ctx, pingEvery)
	}
}

// pause returns after d, or when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// killed notes the kill of a front end, which restarts the waits of its clients.
func (s *system) killed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frontEndKills = append(s.frontEndKills, time.Now())
}

// restarted reports whether a front end was killed between two times.
func (s *system) restarted(from, to time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.frontEndKills {
		if !at.Before(from) && !at.After(to) {
			return true
		}
	}
	return false
}

func eventually(t *testing.T, f func() bool, what string) {
	t.Helper()
	require.Eventually(t, f, deadline, 50*time.Millisecond, what)
}

// quiet drops the log messages of the tests' own Temporal client.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
