package system

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/frontend"
)

func TestMemoryLimitFollowsTheConnections(t *testing.T) {
	cfg := config.Default()
	var set []int64
	g := &frontendGC{
		limitOf: cfg.FrontendMemoryLimit, setPercent: func(int) int { return 0 },
		setLimit: func(limit int64) int64 { set = append(set, limit); return 0 },
	}
	for _, conns := range []int{0, 1, 255, 256, 10_000, 0} {
		g.follow(0, conns)
	}
	none := cfg.FrontendMemoryLimit(0)
	require.Equal(t, []int64{none, none + 256*frontend.ConnMemory, none + 10_240*frontend.ConnMemory, none}, set)
}

func TestFrontendGC(t *testing.T) {
	for live, want := range map[uint64]int{
		0: 1000, 1 << 20: 1000, 6 << 20: 1000, 16 << 20: 400, 64 << 20: 100, 128 << 20: config.FrontendGarbage, 4 << 30: config.FrontendGarbage,
	} {
		require.Equal(t, want, frontendPercent(live), "%d MiB", live>>20)
	}
}

// TestFrontendGCFollowsTheMemoryInUse has the process use 256 MiB, and then no memory to speak of.
func TestFrontendGCFollowsTheMemoryInUse(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(limit)
	defer debug.SetGCPercent(percent)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	g := newFrontendGC(config.Default())
	go func() { defer close(ended); g.run(ctx, func() int { return 0 }) }()
	defer func() { cancel(); <-ended }()

	current := func() int {
		sample := []metrics.Sample{{Name: "/gc/gogc:percent"}}
		metrics.Read(sample)
		return int(sample[0].Value.Uint64())
	}
	require.Greater(t, current(), 500, "control: a small process")
	held := make([][]byte, 256)
	for i := range held {
		held[i] = make([]byte, 1<<20)
	}
	require.Eventually(t, func() bool { runtime.GC(); return current() == config.FrontendGarbage }, 10*time.Second, 10*time.Millisecond)
	runtime.KeepAlive(held)
	require.Eventually(t, func() bool { runtime.GC(); return current() > 500 }, 10*time.Second, 10*time.Millisecond)
}

func TestGCFollowsItsVariables(t *testing.T) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("GOGC", "")
			t.Setenv("GOMEMLIMIT", "")
			t.Setenv(name, "1GiB")
			percent, limit := debug.SetGCPercent(123), debug.SetMemoryLimit(4<<30)
			defer debug.SetMemoryLimit(limit)
			defer debug.SetGCPercent(percent)
			g := newFrontendGC(config.Default())
			require.Nil(t, g)
			g.run(t.Context(), func() int { t.Error("the connections are counted"); return 0 }) // It returns at once.
			require.Equal(t, 123, debug.SetGCPercent(123))
			require.EqualValues(t, 4<<30, debug.SetMemoryLimit(-1))
		})
	}
}
