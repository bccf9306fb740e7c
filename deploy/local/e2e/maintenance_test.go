package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// sendAudit sends the message that has an object in west audited, as a front end does.
func sendAudit(t *testing.T, object string) {
	t.Helper()
	sendMessage(t, fmt.Sprintf(`{"version":1,"data":{"id":"s3_%s","url":%q,"action":"audit"}}`, west, object))
}

// maintenanceRuns lists the runs that audit or refresh an object in west, newest first, by the
// prefix of their id.
func maintenanceRuns(t *testing.T, prefix, object string) []*workflow.WorkflowExecutionInfo {
	t.Helper()
	u, err := url.Parse(object)
	require.NoError(t, err)
	out, err := sys.temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: "default", Query: fmt.Sprintf("WorkflowId STARTS_WITH '%s/s3_%s/%s%s/'", prefix, west, u.Host, u.Path),
	})
	require.NoError(t, err)
	return out.GetExecutions()
}

// maintained waits for the nth such run, which must complete.
func maintained(t *testing.T, prefix, object string, n int) *workflow.WorkflowExecutionInfo {
	t.Helper()
	var all []*workflow.WorkflowExecutionInfo
	eventually(t, func() bool {
		all = maintenanceRuns(t, prefix, object)
		return len(all) >= n && all[0].GetStatus() == completedStatus
	}, prefix+" completes")
	require.Len(t, all, n)
	return all[0]
}

// audits returns the number of audits with a result, of objects without an upstream.
func audits(t *testing.T, result string) (sum float64) {
	t.Helper()
	for _, w := range workers() {
		sum += auditsAt(t, sys.AdminURL(w), "none", result)
	}
	return sum
}

// auditsAt returns such a number of an upstream, of the worker with an admin listener.
func auditsAt(t *testing.T, admin, upstream, result string) float64 {
	t.Helper()
	_, body, _ := fetch(t, admin+"/metrics")
	line := regexp.MustCompile(`(?m)^cloud_mirror_audits_total\{result="` + result + `",upstream="` + upstream + `"\} (\S+)$`)
	m := line.FindSubmatch(body)
	require.NotNil(t, m, "the counter does not start at zero")
	n, err := strconv.ParseFloat(string(m[1]), 64)
	require.NoError(t, err)
	return n
}

// warnings counts the warnings about an object's changed source in a log. Each has its path, and
// none its query.
func warnings(t *testing.T, log, object string) int {
	t.Helper()
	data, err := os.ReadFile(log)
	require.NoError(t, err)
	path, _, _ := strings.Cut(object, "?")
	n := 0
	for line := range bytes.Lines(data) {
		if bytes.Contains(line, []byte("source of a copy has changed")) && bytes.Contains(line, []byte(path)) {
			require.Contains(t, string(line), `"level":"warn"`)
			n++
		}
	}
	return n
}

// TestChangedSourceIsNoticed audits an object, changes it under the same URL, and audits it again.
func TestChangedSourceIsNoticed(t *testing.T) {
	s := newRanged(t, 1000, nil)
	object := s.object()
	requireCopy(t, s.source, west, ask(t, west, object, ""))
	log := filepath.Join(sys.LogDir(), "worker-us-west-2.log")
	same, different := audits(t, "same"), audits(t, "different")

	sendAudit(t, object)
	w := maintained(t, "audit", object, 1)
	require.Equal(t, []string{"Audit"}, scheduled(t, w))
	require.InDelta(t, 1, audits(t, "same")-same, 0)
	require.Equal(t, 1, s.count(http.MethodHead))
	require.Equal(t, 1, s.count(http.MethodGet), "an unchanged object costs one HEAD")
	require.Zero(t, warnings(t, log, object))

	old := head(t, west, object)
	s.change()
	sendAudit(t, object)
	maintained(t, "audit", object, 2)
	require.InDelta(t, 1, audits(t, "different")-different, 0)
	require.InDelta(t, 1, audits(t, "same")-same, 0)
	require.Equal(t, 1, warnings(t, log, object))
	require.Equal(t, 2, s.count(http.MethodGet), "a plain GET confirms the change")
	require.Equal(t, old, head(t, west, object), "without mirror.audit_purge the copy stays")
	require.True(t, ask(t, west, object, "").isCopy())
}

// TestChangedSourceIsPurged has a worker with mirror.audit_purge. The next client gets the new
// object. The control is an object that has not changed.
func TestChangedSourceIsPurged(t *testing.T) {
	for _, w := range workers() {
		pause(t, w)
	}
	purging := startProcess(t, "purging-worker", sys.Binary(), strings.Fields("worker --pool s3_"+west+" --config "+sys.ConfigPath()),
		"CLOUD_MIRROR_MIRROR_AUDIT_PURGE=true")
	s, unchanged := newRanged(t, 1000, nil), newRanged(t, 1000, nil)
	object, control := s.object(), unchanged.object()
	requireCopy(t, s.source, west, ask(t, west, object, ""))
	requireCopy(t, unchanged.source, west, ask(t, west, control, ""))
	kept := head(t, west, control)
	s.change()
	for _, o := range []string{object, control} {
		sendAudit(t, o)
		maintained(t, "audit", o, 1)
	}
	require.InDelta(t, 1, metricAt(t, "cloud_mirror_audit_purges_total", "http://"+purging.admin), 0)
	require.Equal(t, 404, head(t, west, object).status)
	require.Equal(t, kept, head(t, west, control))
	requireCopy(t, s.source, west, ask(t, west, object, ""))
	require.Equal(t, "cloud-mirror; hit", ask(t, west, control, "").header.Get("Cache-Status"))
	require.Equal(t, 1, unchanged.count(http.MethodGet))
}

// age makes an object's copy older, and has redis forget it. The S3 server keeps copies as files.
func age(t *testing.T, object string, by time.Duration) {
	t.Helper()
	file := filepath.Join(sys.StateDir(), "s3", west, stack.Bucket+"-"+west, filepath.FromSlash(keyOf(t, object)))
	when := time.Now().Add(-by)
	require.NoError(t, os.Chtimes(file, when, when))
	r := redis.NewClient(&redis.Options{Addr: sys.RedisAddr()})
	defer r.Close()
	require.NoError(t, r.Del(t.Context(), redisKey(west, object)).Err())
}

// aged copies an object, and makes its copy older.
func aged(t *testing.T, s *source, by time.Duration) (object string) {
	t.Helper()
	object = s.object()
	requireCopy(t, s, west, ask(t, west, object, ""))
	age(t, object, by)
	return object
}

const days = 24 * time.Hour

// TestCopyInUseIsRefreshed has clients use a copy in the last quarter of its 30 days, and one
// before that. Only the first is refreshed, once, by many hits of both front ends. Its source has
// no part in it.
func TestCopyInUseIsRefreshed(t *testing.T) {
	s := newSource(t, 1000, nil)
	old, young := aged(t, s, 25*days), aged(t, s, 20*days)
	before, kept := head(t, west, old), head(t, west, young)
	asked := s.count(http.MethodGet)
	require.Equal(t, 2, asked)
	for i := range 100 {
		for _, object := range []string{young, old} {
			require.True(t, do(t, http.MethodGet, redirectURL(i%2, west, object, ""), "").isCopy())
		}
	}
	w := maintained(t, "refresh", old, 1)
	require.Equal(t, []string{"Refresh"}, scheduled(t, w))
	after := head(t, west, old)
	was, err := http.ParseTime(before.lastModified)
	require.NoError(t, err)
	is, err := http.ParseTime(after.lastModified)
	require.NoError(t, err)
	require.Greater(t, is.Sub(was), 24*days, "the copy is as new")
	for i := range 100 {
		for _, object := range []string{young, old} {
			a := do(t, http.MethodGet, redirectURL(i%2, west, object, ""), "")
			require.Equal(t, "cloud-mirror; hit", a.header.Get("Cache-Status"))
			requireCopyOnce(t, s, a, i)
		}
	}
	require.Equal(t, asked, s.count(http.MethodGet), "requests to the source")
	require.Zero(t, s.count(http.MethodHead))
	require.Equal(t, kept, head(t, west, young))
	maintained(t, "refresh", old, 1)
	require.Empty(t, maintenanceRuns(t, "refresh", young))
}

// requireCopyOnce checks the bytes of the first answer only.
func requireCopyOnce(t *testing.T, s *source, a answer, i int) {
	t.Helper()
	if i == 0 {
		requireCopy(t, s, west, a)
	}
}

// auditedShape audits a copy.
func auditedShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	s := newRanged(t, 1000, nil)
	object := s.object()
	requireCopy(t, s.source, west, ask(t, west, object, ""))
	sendAudit(t, object)
	return maintained(t, "audit", object, 1)
}

// refreshedShape has a client use a copy in the last quarter of its life.
func refreshedShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	object := aged(t, newRanged(t, 1000, nil).source, 25*days)
	eventually(t, func() bool { // A front end may remember the younger copy for a moment.
		require.True(t, ask(t, west, object, "").isCopy())
		return len(maintenanceRuns(t, "refresh", object)) > 0
	}, "a refresh starts")
	return maintained(t, "refresh", object, 1)
}
