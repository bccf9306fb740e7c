package system

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/frontend"
)

func TestMemoryLimitFollowsTheConnections(t *testing.T) {
	cfg := config.Default()
	var set []int64
	l := &frontendLimit{of: cfg.FrontendMemoryLimit, set: func(limit int64) int64 { set = append(set, limit); return 0 }}
	for _, conns := range []int{0, 1, 255, 256, 10_000, 0} {
		l.follow(conns)
	}
	none := cfg.FrontendMemoryLimit(0)
	require.Equal(t, []int64{none, none + 256*frontend.ConnMemory, none + 10_240*frontend.ConnMemory, none}, set)
}

func TestMemoryLimitOfTheOperatorStays(t *testing.T) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "100")
			l := newFrontendLimit(config.Default())
			require.Nil(t, l)
			l.run(t.Context(), func() int { t.Error("the connections are counted"); return 0 }) // It returns at once.
		})
	}
}
