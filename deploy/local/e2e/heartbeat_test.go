package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// TestCopyOutlivesABriefOutageOfTemporal takes Temporal away from a worker in the middle of a copy, for
// three seconds: heartbeats fail, which are sent each second, and the copy must not end with them.
func TestCopyOutlivesABriefOutageOfTemporal(t *testing.T) {
	k := startKillable(t, east)
	for name, away := range map[string]func() (back func()){
		"connections are refused": func() func() {
			k.temporal.cut()
			return k.temporal.mend
		},
		"Temporal hangs": func() func() {
			return freeze(t, func(s syscall.Signal) { require.NoError(t, sys.Signal("temporal", s)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, object, gate := halfCopied(t, east)
			back := away()
			<-time.After(3 * time.Second)
			back()
			close(gate)
			requireCopy(t, s.source, east, ask(t, east, object, ""))
			require.EqualValues(t, len(s.body), s.sent.Load(), "bytes fetched")
			w := waitClosed(t, east, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
			require.EqualValues(t, 1, activities(t, w)["StreamCopy"].attempts)
		})
	}
}
