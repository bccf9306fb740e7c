package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// statusOf returns the status of an object in west. It requests no copy.
func statusOf(t *testing.T, frontEnd int, object string) (body struct {
	Status      string
	Done, Total int64
	Error       string
}) {
	t.Helper()
	_, data, _ := fetch(t, sys.FrontEndURLs()[frontEnd]+"/v1/status/s3/"+west+"/"+url.QueryEscape(object))
	require.NoError(t, json.Unmarshal(data, &body), string(data))
	return body
}

// TestListOfCopies requests copies in two regions by one list. They are made at a lower priority.
func TestListOfCopies(t *testing.T) {
	s := newSource(t, 1000, nil)
	objects := make([]string, 20)
	var list strings.Builder
	for i := range objects {
		objects[i] = s.object()
		fmt.Fprintf(&list, `{"url":%q,"regions":[%q,%q]}`+"\n", objects[i], west, east)
	}
	list.WriteString(`{"url":"ftp://example.com/x","regions":["us-west-2"]}`)
	answers, refused := postList(t, list.String()), 0
	for _, line := range answers {
		var a struct {
			StatusURL, Status string
			Error             *struct{ Code string }
		}
		require.NoError(t, json.Unmarshal([]byte(line), &a))
		if a.Error != nil {
			require.Equal(t, "InvalidUrl", a.Error.Code)
			refused++
			continue
		}
		require.Equal(t, "pending", a.Status)
		eventually(t, func() bool {
			_, body, _ := fetch(t, sys.FrontEndURLs()[0]+a.StatusURL)
			return strings.Contains(string(body), `"present"`)
		}, a.StatusURL)
	}
	require.Len(t, answers, 2*len(objects)+1)
	require.Equal(t, 1, refused)
	require.Equal(t, 2*len(objects), s.count(http.MethodGet))
	for _, region := range []string{west, east} {
		requireCopy(t, s, region, ask(t, region, objects[0], "?max_wait=0"))
	}
	w := waitClosed(t, west, objects[0], 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	for _, e := range events(t, w) {
		if started := e.GetWorkflowExecutionStartedEventAttributes(); started != nil {
			require.Zero(t, started.GetPriority().GetPriorityKey(), "workflow tasks are queued behind others")
		}
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
			want := map[string]int32{"HeadSource": 5, "StreamCopy": 5, "UpdateCache": 0}
			require.Equal(t, want[a.GetActivityType().GetName()], a.GetPriority().GetPriorityKey(), a.GetActivityType().GetName())
		}
	}
}

// TestStatusShowsProgress reads the status of an object before, during and after its copy.
func TestStatusShowsProgress(t *testing.T) {
	gate := make(chan struct{})
	s := newRanged(t, 22*mib, after(10*mib, gate))
	object := s.object()
	require.Equal(t, "absent", statusOf(t, 0, object).Status)
	require.Zero(t, s.count(http.MethodGet), "the status request caused a copy")
	ask(t, west, object, "?max_wait=0")
	eventually(t, func() bool {
		now := statusOf(t, 1, object)
		return now.Status == "pending" && now.Total == 22*mib && now.Done >= 5*mib
	}, "the status shows progress")
	close(gate)
	eventually(t, func() bool { return statusOf(t, 1, object).Status == "present" }, "the status shows the copy")
}

// TestPurgeReachesAllFrontEnds purges an object at one front end while another has it in memory.
func TestPurgeReachesAllFrontEnds(t *testing.T) {
	s := newSource(t, 1000, nil)
	object := s.object()
	requireCopy(t, s, west, ask(t, west, object, ""))
	ask2 := func() answer { return do(t, http.MethodGet, redirectURL(1, west, object, "?max_wait=0"), "") }
	eventually(t, func() bool {
		ask2()
		return metric(t, "cloud_mirror_entries_in_memory", "frontend-2") > 0
	}, "the other front end has entries in memory")
	purge(t, west, object)
	purged := time.Now()
	for {
		sent := time.Now() // The request's time counts: on a busy machine the answer may be late.
		if !ask2().isCopy() {
			break
		}
		require.Less(t, sent.Sub(purged), 150*time.Millisecond, "the purged copy is still served")
	}
}
