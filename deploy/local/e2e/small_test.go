package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
)

// requestAtLeast sends the message by which a front end requests a copy into us-west-2 with a
// minimum size.
func requestAtLeast(t *testing.T, object string, minSize int) {
	t.Helper()
	sendMessage(t, fmt.Sprintf(`{"version":1,"data":{"id":"s3_us-west-2","url":%q,"action":"put","minSize":%d}}`, object, minSize))
}

// smallStatus is the status of an object that may be too small.
type smallStatus struct {
	Status   string
	TooSmall bool
	Size     int64
	Error    string
}

func smallStatusOf(t *testing.T, object string) (s smallStatus) {
	t.Helper()
	_, data, _ := fetch(t, sys.FrontEndURLs()[1]+"/v1/status/s3/"+west+"/"+url.QueryEscape(object))
	require.NoError(t, json.Unmarshal(data, &s))
	return s
}

// workflowResult returns the result of a completed copy.
func workflowResult(t *testing.T, w *workflow.WorkflowExecutionInfo) (result struct {
	Copied, Published bool
	TooSmall          *struct{ Size, MinSize int64 }
}) {
	t.Helper()
	all := events(t, w)
	payloads := all[len(all)-1].GetWorkflowExecutionCompletedEventAttributes().GetResult().GetPayloads()
	require.Len(t, payloads, 1)
	require.NoError(t, json.Unmarshal(payloads[0].GetData(), &result))
	return result
}

// TestSmallObject requests an object of 1,000 bytes with larger minimums, and then without one.
func TestSmallObject(t *testing.T) {
	s := newSource(t, 1000, nil)
	object := s.object()
	const worker = "worker-us-west-2"
	const counter = "cloud_mirror_small_objects_total"
	counted, failed := metric(t, counter, worker), failedCopies(t, reachable)
	requestAtLeast(t, object, 1001)
	eventually(t, func() bool {
		return smallStatusOf(t, object) == smallStatus{Status: "absent", TooSmall: true, Size: 1000}
	}, "the object is too small")
	w := waitClosed(t, west, object, 1, completedStatus)
	require.Equal(t, []string{"HeadSource", "StreamCopy", "UpdateCache"}, scheduled(t, w))
	out := workflowResult(t, w)
	require.NotNil(t, out.TooSmall)
	require.EqualValues(t, 1000, out.TooSmall.Size)
	require.EqualValues(t, 1001, out.TooSmall.MinSize)
	require.False(t, out.Copied)
	require.Equal(t, 1, s.count(http.MethodGet))
	require.InDelta(t, counted+1, metric(t, counter, worker), 0)
	require.InDelta(t, failed, failedCopies(t, reachable), 0)
	eventually(t, func() bool {
		return searchAttribute(workflows(t, west, object, 1)[0], "MirrorErrorClass") == `"SourceTooSmall"`
	}, "the search attribute has the class")

	// The copy that a request without a minimum makes is used for all.
	requireCopy(t, s, west, ask(t, west, object, ""))
	waitClosed(t, west, object, 2, completedStatus)
	require.Equal(t, 2, s.count(http.MethodGet))
	requestAtLeast(t, object, 1001)
	found := waitClosed(t, west, object, 3, completedStatus)
	require.Equal(t, []string{"HeadSource", "UpdateCache"}, scheduled(t, found))
	require.Equal(t, smallStatus{Status: "present"}, smallStatusOf(t, object))
	require.Equal(t, 2, s.count(http.MethodGet))
}

// TestMinimumThatAnObjectHas copies the object.
func TestMinimumThatAnObjectHas(t *testing.T) {
	s := newSource(t, 1000, nil)
	object := s.object()
	requestAtLeast(t, object, 1000)
	require.Nil(t, workflowResult(t, waitClosed(t, west, object, 1, completedStatus)).TooSmall)
	requireCopy(t, s, west, ask(t, west, object, ""))
	require.Equal(t, 1, s.count(http.MethodGet))
}

// TestClientsShareTheLeaseOfASmallObject has clients without a minimum, at two front ends, wait for
// a copy that ends as too small. They get a copy, which is requested once.
func TestClientsShareTheLeaseOfASmallObject(t *testing.T) {
	s, gate := newGatedSource(t)
	object := s.object()
	requestAtLeast(t, object, 1001)
	eventually(t, func() bool { return s.count(http.MethodGet) == 1 }, "the copy runs")
	answers := make(chan answer, 2)
	waiting := metric(t, "cloud_mirror_waiting_clients", "frontend-1", "frontend-2")
	for frontEnd := range 2 {
		go func() {
			a, _ := request(http.MethodGet, redirectURL(frontEnd, west, object, ""), "")
			answers <- a
		}()
	}
	eventually(t, func() bool {
		return metric(t, "cloud_mirror_waiting_clients", "frontend-1", "frontend-2") >= waiting+2
	}, "the clients wait")
	require.Equal(t, 1, s.count(http.MethodGet), "they share the lease")
	close(gate)
	for range 2 {
		requireCopy(t, s, west, <-answers)
	}
	require.Equal(t, 2, s.count(http.MethodGet))
}

// newGatedSource serves 1,000 bytes. It answers the first GET only after the gate was closed.
func newGatedSource(t *testing.T) (s *source, gate chan struct{}) {
	t.Helper()
	gate = make(chan struct{})
	return newSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			select {
			case <-gate:
			case <-r.Context().Done():
			}
		}
		s.serveObject(w, r)
	}), gate
}

// smallShape requests an object with a minimum above its size.
func smallShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	object := newSource(t, 1000, nil).object()
	requestAtLeast(t, object, 1001)
	return waitClosed(t, west, object, 1, completedStatus)
}

// loweredShape has a request without a minimum arrive during the StreamCopy of a small object.
func loweredShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	s, gate := newGatedSource(t)
	object := s.object()
	requestAtLeast(t, object, 1001)
	eventually(t, func() bool { return s.count(http.MethodGet) == 1 }, "the copy runs")
	requestAtLeast(t, object, 0)
	eventually(t, func() bool {
		for _, e := range events(t, workflows(t, west, object, 1)[0]) {
			if e.GetEventType() == enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
				return true
			}
		}
		return false
	}, "the request is signalled")
	close(gate)
	w := waitClosed(t, west, object, 1, completedStatus)
	requireCopy(t, s, west, ask(t, west, object, ""))
	require.Equal(t, 2, s.count(http.MethodGet))
	return w
}
