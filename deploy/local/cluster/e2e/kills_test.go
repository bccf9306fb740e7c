package e2e

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/cluster"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// processes are the names of all processes. Its own process serves SQS and the origin.
func processes() []string {
	names := sys.cluster.Names()
	for _, name := range sys.Names() {
		if sys.PID(name) != os.Getpid() {
			names = append(names, name)
		}
	}
	return names
}

// kill kills a process and waits until its replacement is ready.
func kill(ctx context.Context, name string) error {
	end := sys.journal.Fault(name, "kill")
	defer end()
	if strings.HasPrefix(name, "frontend-") {
		defer sys.killed()
		sys.killed()
	}
	if slices.Contains(sys.cluster.Names(), name) {
		if err := sys.cluster.Kill(name); err != nil {
			return err
		}
		return sys.cluster.WaitReady(ctx, name)
	}
	if err := sys.Kill(name); err != nil {
		return err
	}
	return sys.WaitReady(ctx, name)
}

// TestEachProcessIsKilledOnce kills the processes one by one under load. After each kill a new
// object must be copied into each region. The audit checks all answers of the load.
func TestEachProcessIsKilledOnce(t *testing.T) {
	s := newSource(t)
	all := processes()
	require.Len(t, all, 6+1+1+3+2+6, "%v", all)
	l := startLoad(t, s)
	for _, name := range all {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			began := time.Now()
			require.NoError(t, kill(ctx, name))
			ready := time.Since(began)
			for _, region := range stack.Regions() {
				requireRecovery(ctx, t, s, region)
			}
			t.Logf("ready after %s, new copies in all regions after %s; %s", ready.Round(time.Millisecond),
				time.Since(began).Round(time.Millisecond), l)
		})
	}
	l.stop()
	require.NotZero(t, l.copies.Load(), "control: the load gets copies")
	t.Log(l)
}

// requireRecovery requests a new object until it has been copied.
func requireRecovery(ctx context.Context, t *testing.T, s *source, region string) {
	t.Helper()
	object := s.object(10 * kib)
	for {
		a, err := request(ctx, http.MethodGet, "redirect", region, object, standardWait)
		if err == nil && a.Copy && a.Downloaded.Status == http.StatusOK {
			requireCopy(t, s, region, object, a)
			return
		}
		require.NoError(t, ctx.Err(), "no new object is copied into %s: %+v", region, a)
		pause(ctx, 100*time.Millisecond)
	}
}

// TestRollingRestartOfHistory restarts both processes of the history service in turn, while copies
// run. Each restart moves shards twice. No copy is lost. A copy whose heartbeat hangs in a restart can
// be made again.
func TestRollingRestartOfHistory(t *testing.T) {
	s := newSource(t)
	before, err := sys.cluster.ShardMoves(t.Context())
	require.NoError(t, err)
	l := startLoad(t, s)
	const copies, takes = 12, 12 * time.Second
	var objects []string
	for _, name := range []string{cluster.History1, cluster.History2} {
		for i := range copies {
			object := s.object(200*kib + i)
			s.takes(object, takes)
			a, err := request(t.Context(), http.MethodGet, "redirect", west, object, 0)
			require.NoError(t, err)
			require.False(t, a.Copy)
			objects = append(objects, object)
		}
		first := objects[len(objects)-copies:]
		eventually(t, func() bool {
			return !slices.ContainsFunc(first, func(object string) bool { return s.gets(object) == 0 })
		}, "all copies run")
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		began := time.Now()
		end := sys.journal.Fault(name, "restart")
		require.NoError(t, sys.cluster.Restart(ctx, name))
		end()
		t.Logf("%s restarted within %s; %s", name, time.Since(began).Round(time.Millisecond), l)
	}
	again := 0
	for _, object := range objects {
		requireCopy(t, s, west, object, ask(t, west, object))
		require.LessOrEqual(t, s.gets(object), 2, "GETs of an object")
		again += s.gets(object) - 1
	}
	require.Less(t, again, len(objects)/2, "copies made again")
	l.stop()
	require.Zero(t, l.failures.Load(), "requests without a response")
	after, err := sys.cluster.ShardMoves(t.Context())
	require.NoError(t, err)
	require.Greater(t, after-before, 16, "control: shards have moved")
	t.Logf("%d acquisitions of shards, %d of %d copies made again; %s", after-before, again, len(objects), l)
}
