package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflow/v1"
)

// raisedShape has a list, and then a client, request a copy that waits for a slot of a worker. The
// activity that waits at low priority is scheduled again.
func raisedShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	gate := make(chan struct{})
	s := newRanged(t, 9*mib, after(0, gate))
	// More copies than a worker has slots for large objects, with the memory of settings
	for range 32 {
		other := s.object()
		require.False(t, ask(t, central, other, "?max_wait=0").isCopy())
		eventually(t, func() bool { return len(priorities(t, other)) == 3 }, "the copy needs a slot for large objects")
	}

	object := s.object()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, sys.FrontEndURLs()[0]+"/v1/copies",
		strings.NewReader(`{"url":"`+object+`","regions":["`+central+`"]}`))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer local")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	eventually(t, func() bool { return slices.Equal([]int32{5, 5, 5}, priorities(t, object)) }, "the list's copy waits for a slot")

	require.False(t, ask(t, central, object, "?max_wait=0s").isCopy())
	require.Equal(t, []int32{5, 5, 5}, priorities(t, object), "a client that does not wait raises nothing")
	require.False(t, ask(t, central, object, "?max_wait=1s").isCopy())
	eventually(t, func() bool { return slices.Equal([]int32{5, 5, 5, 0}, priorities(t, object)) }, "the priority is raised")
	close(gate)
	requireCopy(t, s.source, central, ask(t, central, object, ""))
	return waitClosed(t, central, object, 1, completedStatus)
}

// priorities returns the priorities of a copy into central's activities in the order of their scheduling.
func priorities(t *testing.T, object string) (keys []int32) {
	t.Helper()
	for _, e := range events(t, workflows(t, central, object, 1)[0]) {
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
			keys = append(keys, a.GetPriority().GetPriorityKey())
		}
	}
	return keys
}
