package frontend_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// heap returns the bytes that are reachable.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // The first run only finds objects with finalizers.
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Kept redirects stay within the budget, regardless of the length of their request lines.
func TestKeptRedirectsStayWithinTheirMemory(t *testing.T) {
	const budget, margin = 8 << 20, 4 << 20
	encoded := func(i int) string { return url.QueryEscape(fmt.Sprintf("https://example.com/%d", i)) }
	long := func(i, n int) string { return fmt.Sprintf("https://example.com/%d/%s", i, strings.Repeat("x", n)) }
	for name, tc := range map[string]struct {
		url    func(i int) string // As it is encoded in the path, with a query.
		status int
		kept   bool
	}{
		"short lines":           {encoded, 302, true},
		"valid queries of 2 KB": {func(i int) string { return encoded(i) + "?max_wait=" + strings.Repeat("0", 2000) }, 302, true},
		"long invalid queries":  {func(i int) string { return encoded(i) + "?" + strings.Repeat("x", 60_000) }, 400, false},
		"long URLs":             {func(i int) string { return url.QueryEscape(long(i, 8000)) }, 302, true},
		"padded base64": {func(i int) string {
			return base64.RawURLEncoding.EncodeToString([]byte(long(i, 10))) + strings.Repeat("=", 60_000)
		}, 302, true},
		"short invalid queries": {func(i int) string { return encoded(i) + "?x" }, 400, false},
	} {
		t.Run(name, func(t *testing.T) {
			admitted, requests := 0, 5_000
			if strings.Contains(name, "long") || strings.Contains(name, "padded") {
				requests = 2_000 // That is enough to exceed the budget.
			}
			f := newFixture(t, func(o *options) {
				o.Log, o.CacheEntries, o.CacheMemory = zerolog.Nop(), 100_000, budget
				o.Entries = remembering{entry: cachetest.Rules().Present(time.Now(), cache.Copy{})}
				admit := o.Admit
				o.Admit = func(url string) (string, error) { admitted++; return admit(url) }
			})
			request := func(i int) {
				r := httptest.NewRequest(http.MethodGet, "/v1/redirect/s3/us-west-2/"+tc.url(i), nil)
				w := httptest.NewRecorder()
				f.handler.ServeHTTP(w, r)
				require.Equal(t, tc.status, w.Code)
			}
			before := heap()
			for i := range requests {
				request(i)
			}
			require.Equal(t, requests, admitted)
			var retained int64
			within := assert.Eventually(t, func() bool { // The table evicts in the background.
				retained = heap() - before
				return retained <= budget+margin
			}, 5*time.Second, 50*time.Millisecond)
			require.True(t, within, "%d KiB are retained", retained>>10)
			// A kept redirect is served without another look at its URL. The table keeps a new one
			// rather than an older one only if it is requested often, and learns that with a delay.
			kept, tries := false, 3
			if tc.kept {
				tries = 100
			}
			for range tries {
				before := admitted
				request(requests - 1)
				if kept = admitted == before; kept {
					break
				}
				<-time.After(10 * time.Millisecond)
			}
			require.Equal(t, tc.kept, kept)
			if tc.kept {
				require.Greater(t, retained, int64(budget/8), "little is kept")
			}
			runtime.KeepAlive(f)
		})
	}
}

func TestQueryThatIsTooLong(t *testing.T) {
	f := newFixture(t)
	f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
	query := "?max_wait=" + strings.Repeat("0", 2048-len("max_wait="))
	require.Equal(t, 302, f.ask(t, "GET", path(query)).status)
	for range 2 { // The path is new, then known.
		a := f.ask(t, "GET", path(query+"0"))
		require.Equal(t, 400, a.status)
		require.Equal(t, map[string]any{"code": "InputError", "message": "The query is longer than 2 KiB"}, a.body)
	}
}

// A line that names too many objects costs little more than its text.
func TestLineOfTooManyObjects(t *testing.T) {
	names := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	for name, tc := range map[string]struct {
		line    string
		answers int
		error   string
	}{
		"3,000 URLs in 3,000 regions": {
			`{"urls":[` + names(3000, `"https://example.com/%d",`) + `],"regions":[` + names(3000, `"r-%d",`) + `]}`, 1, "10,000 objects",
		},
		"3,000 URLs in 3,000 times all regions": {
			`{"urls":[` + names(3000, `"https://example.com/%d",`) + `],"regions":[` + strings.Repeat(`"all",`, 2999) + `"all"]}`, 6000, "",
		},
		"one URL 500,000 times": {`{"urls":[` + strings.Repeat(`"u",`, 500_000) + `"u"],"regions":["all"]}`, 1, "10,000 objects"},
		"500,000 regions":       {`{"url":"u","regions":[` + strings.Repeat(`"r",`, 500_000) + `"r"]}`, 1, "10,000 objects"},
		"one long URL in 9,999 regions": {
			`{"url":"` + strings.Repeat("u", 1<<20) + `","regions":[` + names(9_999, `"r-%d",`) + `]}`, 1, "longer than 8 KiB",
		},
		"10,000 objects of one line": {`{"urls":[` + names(5000, `"https://example.com/%d",`) + `],"regions":["all"]}`, 10_000, ""},
		"10,001 objects of one line": {`{"urls":[` + names(10_001, `"https://example.com/%d",`) + `],"regions":["us-west-2"]}`, 1, "10,000 objects"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *options) { o.Log = zerolog.Nop() })
			r := httptest.NewRequest(http.MethodPost, "/v1/copies", strings.NewReader(tc.line))
			r.Header.Set("Authorization", "Bearer "+token)
			w := &lineCounter{discard: discard{http.Header{}}}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f.handler.ServeHTTP(w, r)
			runtime.ReadMemStats(&after)
			allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%d MiB allocated for a line of %d KiB, %d answers", allocated, len(tc.line)>>10, w.lines)
			require.Equal(t, tc.answers, w.lines)
			require.Contains(t, w.last, tc.error)
			require.Equal(t, tc.error == "", !strings.Contains(w.last, `"error"`), w.last)
			// Requests for copies allocate too, in the doubles as well.
			require.Less(t, allocated, uint64(32+tc.answers*10/1024))
		})
	}
}

// lineCounter counts the lines of an answer.
type lineCounter struct {
	discard
	lines int
	last  string
}

func (c *lineCounter) Write(p []byte) (int, error) {
	c.lines++
	c.last = string(p)
	return len(p), nil
}
