package page_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// secretURL has a query that no link may hold.
const secretURL = "https://example.com/it's/a.zip?sig=hunter2"

func objectOf(canonical string) (o storage.Object, workflow, earlier string) {
	o = storage.Object{Service: "s3", Region: "us-west-2", URL: canonical}
	s := activities.SealedObject{Service: o.Service, Region: o.Region, URL: o.Shown(), Hash: o.Hash()}
	return o, workflows.ID(s), workflows.EarlierID(s)
}

func TestFormShowsTheCopy(t *testing.T) {
	r := newRig(t)
	o, id, earlier := objectOf(secretURL)
	r.entries[r.Pools[0].Space.Key(o.Hash())] = cache.Entry{
		State: cache.Error, Deadline: noon.Add(time.Minute), Reason: cache.Reason{Class: "BadHTTPStatus", Status: 503, Text: "<b>down</b>"},
	}
	r.runs[id] = run(t, id, "example.com", "BadHTTPStatus", failedStatus, noon)
	body := r.find("HTTPS://Example.com:443/it's/a.zip?sig=hunter2#top")
	shown := text(body)
	for _, want := range []string{
		`error: BadHTTPStatus (HTTP status 503), "<b>down</b>"`,
		"https://mirror.example.com/v1/redirect/s3/us-west-2/https%3A%2F%2Fexample.com%2Fit%27s%2Fa.zip%3Fsig%3Dhunter2",
		"Failed (BadHTTPStatus), started 2026-11-27T11:59:00Z", id,
		`cloud-mirror purge --server https://mirror.example.com --region us-west-2 'https://example.com/it'\''s/a.zip?sig=hunter2'`,
		"cloud-mirror status --server https://mirror.example.com --region us-west-2 'https",
		"cloud-mirror copies retry ",
	} {
		require.Contains(t, shown, want)
	}
	require.NotContains(t, body, "<b>down</b>")
	all := links(body)
	require.Contains(t, strings.Join(all, " "), "https://temporal.example.com/namespaces/mirror/workflows/s3_us-west-2%2F")
	for _, link := range all {
		require.NotContains(t, link, "hunter2")
	}
	require.Contains(t, body, `<option value="s3_us-west-2" selected>us-west-2</option>`)

	r.runs[earlier], r.runs[id] = run(t, earlier, "example.com", "", enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, noon), nil
	shown = text(r.find(secretURL))
	require.Contains(t, shown, earlier+" Completed, started")
	require.Contains(t, shown, "cloud-mirror copies show '"+strings.ReplaceAll(earlier, "'", `'\''`))
	r.runs[earlier] = nil
	require.Contains(t, text(r.find(secretURL)), "none: no copy was requested")
	r.Admin.FrontendURL, r.Admin.TemporalUI = "", ""
	shown = text(r.find(secretURL))
	require.Contains(t, shown, " /v1/redirect/s3/us-west-2/https%3A%2F%2Fexample.com")
	require.Contains(t, shown, "admin.frontend_url is not set")
	require.Contains(t, shown, "cloud-mirror purge --region us-west-2")
}

func TestStatusOfACopy(t *testing.T) {
	const object = "https://example.com/a.zip"
	o, _, _ := objectOf(object)
	pending := cache.Entry{State: cache.Pending, Done: 5, Total: 10, Deadline: noon}
	for name, tc := range map[string]struct {
		entry                  cache.Entry
		stored                 bool
		redis, store, temporal answer
		want                   string
	}{
		"pending":                          {entry: pending, want: "Status pending: 5 of 10 bytes, 50 %"},
		"present":                          {entry: cache.Entry{State: cache.Present}, want: "Status present Redirect"},
		"absent":                           {want: "Status absent Redirect"},
		"only the bucket has it":           {stored: true, want: "Status present: the bucket has the copy, and redis has no entry"},
		"redis is down":                    {stored: true, redis: fails, want: "unknown: redis did not answer (connection refused); the bucket has the copy"},
		"redis is down, and it is missing": {redis: fails, want: "redis did not answer (connection refused); the bucket has no copy"},
		"redis hangs":                      {redis: hangs, want: "unknown: redis did not answer (no answer within 1s); the bucket did not answer"},
		"the bucket is down":               {store: fails, want: "unknown: redis has no entry; the bucket did not answer (connection refused)"},
		"the bucket hangs":                 {store: hangs, want: "unknown: redis has no entry; the bucket did not answer (no answer within 1s)"},
		"the role may not read it":         {store: denies, want: "unknown: redis has no entry; the bucket is not readable from this worker Redirect"},
		"Temporal hangs":                   {entry: pending, temporal: hangs, want: "unknown: Temporal did not answer (no answer within 1s)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.entries[r.Pools[0].Space.Key(o.Hash())] = tc.entry
			r.stored[o.Key()] = tc.stored
			r.redis, r.store, r.temporal = tc.redis, tc.store, tc.temporal
			shown := text(r.find(object))
			require.Contains(t, shown, tc.want)
			require.Contains(t, shown, "cloud-mirror purge")
		})
	}
}

func TestFormIsRefused(t *testing.T) {
	const object = `https://example.com/"><script>alert(1)</script>`
	r := newRig(t)
	for name, tc := range map[string]struct {
		url, pool, site, origin string
		status                  int
		want                    string
	}{
		"a browser's own page":         {object, "s3_us-west-2", "same-origin", "http://example.com", 200, "Status absent"},
		"a program":                    {object, "s3_us-west-2", "", "", 200, "Status absent"},
		"an old browser's own page":    {object, "s3_us-west-2", "", "http://example.com", 200, "Status absent"},
		"another site":                 {object, "s3_us-west-2", "cross-site", "http://evil.example", 403, ""},
		"another origin of the site":   {object, "s3_us-west-2", "same-site", "http://a.example.com", 403, ""},
		"an old browser, another site": {object, "s3_us-west-2", "", "http://evil.example", 403, ""},
		"another pool":                 {object, "s3_mars-1", "", "", 400, "No pool with that name"},
		"no URL":                       {"", "s3_us-west-2", "", "", 400, "The URL can't be mirrored"},
		"no HTTP":                      {`javascript:alert("1")`, "s3_us-west-2", "", "", 400, "The URL can't be mirrored"},
		"too long":                     {"https://example.com/" + strings.Repeat("a", 40<<10), "s3_us-west-2", "", "", 400, "can't be read"},
	} {
		t.Run(name, func(t *testing.T) {
			request := post(tc.url, tc.pool)
			for header, value := range map[string]string{"Sec-Fetch-Site": tc.site, "Origin": tc.origin} {
				if value != "" {
					request.Header.Set(header, value)
				}
			}
			resp, body := r.serve(request)
			require.Equal(t, tc.status, resp.StatusCode, body)
			require.Contains(t, text(body), tc.want)
			require.NotContains(t, body, "<script>")
			require.Equal(t, tc.status == 200, strings.Contains(body, "cloud-mirror purge"))
		})
	}
}

// TestPageUnderAnotherName has a website point its own name at the page.
func TestPageUnderAnotherName(t *testing.T) {
	r := newRig(t)
	for host, status := range map[string]int{
		"127.0.0.1:8082": 200, "[::1]:8082": 200, "10.1.2.3": 200, "localhost:8082": 200, "worker:8082": 200,
		"example.com": 200, "EXAMPLE.com:8082": 200,
		"evil.example": 421, "evil.example:8082": 421, "127.0.0.1.evil.example:8082": 421, "example.com.:8082": 421,
	} {
		for _, request := range []*http.Request{
			httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRequest(http.MethodGet, "/state", nil), post("https://example.com/a", "s3_us-west-2"),
		} {
			request.Host = host
			resp, body := r.serve(request)
			require.Equal(t, status, resp.StatusCode, host)
			require.Equal(t, status != 200, strings.Contains(body, "admin.hosts"), host)
		}
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	r := newRig(t)
	for request, status := range map[string]int{
		"GET /": 200, "GET /state": 200, "GET /page.css": 200, "GET /favicon.ico": 404, "POST /": 400, "POST /state": 405, "GET /page.html": 404,
	} {
		method, path, _ := strings.Cut(request, " ")
		resp, _ := r.serve(httptest.NewRequest(method, path, nil))
		require.Equal(t, status, resp.StatusCode, request)
		policy := resp.Header.Get("Content-Security-Policy")
		require.Contains(t, policy, "default-src 'none'", request)
		require.Contains(t, policy, "frame-ancestors 'self'", request)
		require.NotContains(t, policy, "script-src", request)
		require.Equal(t, "SAMEORIGIN", resp.Header.Get("X-Frame-Options"), request)
		require.Equal(t, "no-store", resp.Header.Get("Cache-Control"), request)
		require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"), request)
	}
	resp, _ := r.serve(httptest.NewRequest(http.MethodGet, "/?url="+secretURL, nil))
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "text/html; charset=utf-8", resp.Header.Get("Content-Type"))
}
