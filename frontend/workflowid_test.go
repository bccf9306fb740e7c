package frontend_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/workflows/copyid"
)

const workflowHeader = "Cloud-Mirror-Workflow-Id"

// workflowOf returns the id of the workflow that copies a URL into us-west-2.
func workflowOf(source string) string {
	shown, _, _ := strings.Cut(source, "?")
	return copyid.New("s3_us-west-2", shown, objectOf(source).Hash())
}

// TestAnswersNameTheWorkflow wants the header on every answer about an object, except on hits.
func TestAnswersNameTheWorkflow(t *testing.T) {
	entry := func(e cache.Entry) func(*testing.T, *fixture) {
		return func(t *testing.T, f *fixture) { f.put(t, e) }
	}
	now := time.Now()
	failed := func(class string, status int) cache.Entry {
		return cachetest.Rules().Failed(now, cache.Reason{Class: class, Status: status, AboutObject: status != 0})
	}
	present := cachetest.Rules().Present(now, cache.Copy{SHA256: strings.Repeat("0a", 32)})
	for name, tc := range map[string]struct {
		prepare func(*testing.T, *fixture)
		query   string
		status  int
		cached  string // The end of Cache-Status.
		named   bool
		edit    func(*options)
	}{
		"no copy within the wait": {nil, "?max_wait=0", 302, "fwd=miss", true, nil},
		"copied within the wait": {func(_ *testing.T, f *fixture) {
			f.queue.copy = func(queue.Request) { _ = f.cache.Put(context.Background(), key(), 0, present) }
		}, "", 302, "fwd=miss", true, nil},
		"a hit":            {entry(present), "", 302, "hit", false, nil},
		"another digest":   {entry(present), "?sha256=" + strings.Repeat("0b", 32), 302, "fwd=miss", true, nil},
		"failed":           {entry(failed("SourceTruncated", 0)), "", 302, "fwd=miss", true, nil},
		"the source's 404": {entry(failed("BadHTTPStatus", 404)), "", 404, "fwd=miss", true, nil},
		"too small":        {entry(cachetest.Rules().TooSmall(now, 3)), "", 302, `too small"`, true, func(o *options) { o.MinSize = 5 }},
		"switched off": {nil, "", 302, `switched off"`, true, func(o *options) {
			o.Bypasses = switchOff(t, cache.BypassOfHost("example.com"))
		}},
		"at a limit": {nil, "", 503, "fwd=miss", true, func(o *options) {
			o.AtLimit = frontend.AtLimitRefuse
			gate(t, cache.Backlog{Tasks: 2000})(o)
		}},
		"invalid": {nil, "?max_wait=x", 400, "", false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var edits []func(*options)
			if tc.edit != nil {
				edits = append(edits, tc.edit)
			}
			f := newFixture(t, edits...)
			if tc.prepare != nil {
				tc.prepare(t, f)
			}
			a := f.ask(t, http.MethodGet, path(tc.query))
			require.Equal(t, tc.status, a.status, a.raw)
			require.True(t, strings.HasSuffix(a.header.Get("Cache-Status"), tc.cached), a.header.Get("Cache-Status"))
			want := ""
			if tc.named {
				want = workflowOf(source)
			}
			require.Equal(t, want, a.header.Get(workflowHeader))
			require.NotContains(t, a.header.Get(workflowHeader), "secret")
		})
	}
}

func TestMirrorRouteNamesTheWorkflow(t *testing.T) {
	f := newFixture(t, mirroring)
	for range 2 { // The second time, the path is known.
		require.Equal(t, workflowOf(mirrored), f.ask(t, http.MethodGet, mirrorPath).header.Get(workflowHeader))
	}
	f.copied(t, mirrored)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		a := f.ask(t, method, mirrorPath)
		require.Equal(t, "cloud-mirror; hit", a.header.Get("Cache-Status"))
		require.Empty(t, a.header.Get(workflowHeader))
	}
	passed := f.ask(t, http.MethodGet, mirrorPath+"?X-Amz-Signature=1")
	require.Equal(t, "cloud-mirror; fwd=bypass", passed.header.Get("Cache-Status"))
	require.Empty(t, passed.header.Get(workflowHeader), "it is never copied")
}

// TestStatusTellsAttempts asks for the status of a copy, and lists it.
func TestStatusTellsAttempts(t *testing.T) {
	soon := time.Now().Add(time.Minute).Truncate(time.Millisecond)
	pending := cachetest.Rules().Pending(time.Now(), "run", 0, -1)
	failed := cachetest.Rules().Failed(time.Now(), cache.Reason{Class: "SourceTruncated"})
	for name, tc := range map[string]struct {
		entry    cache.Entry
		attempts int32
		next     time.Time
		want     time.Time
	}{
		"requested, or of an earlier build": {entry: pending},
		"an attempt runs":                   {entry: pending, attempts: 1},
		"the next attempt is scheduled":     {entry: pending, attempts: 2, next: soon, want: soon},
		"the next attempt has begun":        {entry: pending, attempts: 2, next: time.Now().Add(-time.Millisecond)},
		"the source requests a long delay":  {entry: failed, attempts: 3, next: soon, want: soon},
		"failed":                            {entry: failed, attempts: 8},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			tc.entry.Attempts, tc.entry.NextRetry = tc.attempts, tc.next
			f.put(t, tc.entry)
			a := f.ask(t, http.MethodGet, "/v1/status/s3/us-west-2/"+url.QueryEscape(source))
			require.Equal(t, workflowOf(source), a.body["workflowId"])
			attempts, _ := a.body["attempts"].(float64)
			require.Equal(t, tc.attempts, int32(attempts))
			require.Equal(t, tc.attempts > 0, a.body["attempts"] != nil)
			require.Equal(t, !tc.want.IsZero(), a.body["nextRetry"] != nil)
			if !tc.want.IsZero() {
				require.Equal(t, tc.want.UTC().Format(time.RFC3339Nano), a.body["nextRetry"])
			}
			_, lines := f.warm(t, `{"url":"`+source+`","regions":["us-west-2"]}`, token)
			line := lines["1 "+source+" us-west-2"]
			require.Equal(t, workflowOf(source), line.WorkflowID)
			require.EqualValues(t, tc.attempts, line.Attempts)
			require.True(t, tc.want.Equal(line.NextRetry), line.NextRetry)
		})
	}
}

func TestStatusWithoutAnEntryNamesTheWorkflow(t *testing.T) {
	f := newFixture(t)
	a := f.ask(t, http.MethodGet, "/v1/status/s3/us-west-2/"+url.QueryEscape(source))
	require.Equal(t, map[string]any{"status": "absent", "workflowId": workflowOf(source)}, a.body)
	_, lines := f.warm(t, `{"url":"`+source+`","regions":["mars-1"]}`, token)
	require.Empty(t, lines["1 "+source+" mars-1"].WorkflowID, "no pool, no workflow")
}
