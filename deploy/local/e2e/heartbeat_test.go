package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// TestCopyOutlivesABriefOutageOfTemporal makes Temporal unavailable for eight seconds in the middle
// of a copy. The worker sends a heartbeat each second. The copy must not end because heartbeats
// fail.
func TestCopyOutlivesABriefOutageOfTemporal(t *testing.T) {
	k := startKillable(t, east)
	for name, begin := range map[string]func() (end func()){
		"connections are refused": func() func() {
			k.temporal.disconnect()
			return k.temporal.reconnect
		},
		"Temporal hangs": func() func() {
			return freeze(t, func(s syscall.Signal) { require.NoError(t, sys.Signal("temporal", s)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, object, gate := halfCopied(t, east)
			end := begin()
			<-time.After(8 * time.Second) // The length of the outage.
			end()
			close(gate)
			requireCopy(t, s.source, east, ask(t, east, object, ""))
			require.EqualValues(t, len(s.body), s.sent.Load(), "bytes fetched")
			w := waitClosed(t, east, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
			require.EqualValues(t, 1, activities(t, w)["StreamCopy"].attempts)
		})
	}
}
