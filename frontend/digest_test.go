package frontend_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

func TestExpectedDigestIsRequested(t *testing.T) {
	digest := strings.Repeat("0a", 32)
	for query, want := range map[string]string{
		"?max_wait=0":                  "",
		"?max_wait=0&sha256=" + digest: digest,
		"?sha256=" + strings.ToUpper(digest) + "&max_wait=0": digest,
	} {
		t.Run(query, func(t *testing.T) {
			f := newFixture(t)
			require.Equal(t, source, f.ask(t, "GET", path(query)).location)
			require.Equal(t, []queue.Request{{Pool: "s3_us-west-2", URL: source, Action: queue.Put, SHA256: want}}, f.queue.sent)
		})
	}
}

func TestDigestOfTheFirstClientCounts(t *testing.T) {
	first, later := strings.Repeat("0a", 32), strings.Repeat("0b", 32)
	for name, query := range map[string]string{"a digest": "?sha256=" + first, "no digest": ""} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *options) { o.MaxWait = time.Minute })
			rules := cachetest.Rules()
			rules.RetryAfter = 50 * time.Millisecond
			f.queue.copy = func(queue.Request) {
				entry := rules.Present(time.Now(), cache.Copy{})
				if f.queue.requests(queue.Put) == 1 {
					// Another client joins before the copy fails and must be requested again.
					f.leave(t, "GET", path("?sha256="+later))
					entry = rules.Transient(time.Now(), 1, cache.Reason{Class: "SourceUnreachable"})
				}
				_ = f.cache.Put(context.Background(), key(), 0, entry)
			}
			require.Equal(t, copyURL("GET"), f.ask(t, "GET", path(query)).location)
			want := queue.Request{Pool: "s3_us-west-2", URL: source, Action: queue.Put, SHA256: strings.TrimPrefix(query, "?sha256=")}
			require.Equal(t, []queue.Request{want, want}, f.queue.sent)
		})
	}
}

// TestDigestBelongsToTheRequest redirects a client to the source only if it expects another digest
// than the copy's.
func TestDigestBelongsToTheRequest(t *testing.T) {
	const mine, other = "0a", "0b"
	digest := func(s string) string { return strings.Repeat(s, 32) }
	for name, tc := range map[string]struct {
		copied, expected string
		isCopy           bool
	}{
		"the same":       {mine, mine, true},
		"another":        {mine, other, false},
		"none expected":  {mine, "", true},
		"none computed":  {"", other, true},
		"none of either": {"", "", true},
	} {
		for _, waits := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", at the first look", true: ", after a wait"}[waits], func(t *testing.T) {
				f := newFixture(t, func(o *options) { o.MaxWait = time.Minute })
				entry := cachetest.Rules().Present(time.Now(), cache.Copy{SHA256: digest(tc.copied)})
				if waits {
					f.queue.copy = func(queue.Request) { _ = f.cache.Put(context.Background(), key(), 0, entry) }
				} else {
					require.NoError(t, f.cache.Put(t.Context(), key(), 0, entry))
				}
				query := ""
				if tc.expected != "" {
					query = "?sha256=" + digest(tc.expected)
				}
				a := f.ask(t, "GET", path(query))
				require.Equal(t, 302, a.status)
				if tc.isCopy {
					require.Equal(t, copyURL("GET"), a.location)
					return
				}
				require.Equal(t, source, a.location)
				require.Equal(t, "Cached copy has another SHA-256 than this request expects", a.body["msg"])
			})
		}
	}
}

// TestDigestOfARunningCopy ends the wait of a client that expects another digest than the source
// sent. Other clients keep waiting for the copy.
func TestDigestOfARunningCopy(t *testing.T) {
	f := newFixture(t, func(o *options) { o.MaxWait = time.Minute })
	sent, other := strings.Repeat("0a", 32), strings.Repeat("0b", 32)
	started := make(chan struct{})
	f.queue.copy = func(queue.Request) {
		running := cachetest.Rules().Pending(time.Now(), "worker", 0, -1)
		running.SHA256 = sent
		_ = f.cache.Put(context.Background(), key(), 0, running)
		close(started)
	}
	elsewhere := make(chan string, 1)
	go func() {
		<-started
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path("?sha256="+other), nil))
		_ = f.cache.Put(context.Background(), key(), 0, cachetest.Rules().Present(time.Now(), cache.Copy{SHA256: sent}))
		elsewhere <- w.Header().Get("Location")
	}()
	require.Equal(t, copyURL("GET"), f.ask(t, "GET", path("?sha256="+sent)).location)
	require.Equal(t, source, <-elsewhere)
	require.Equal(t, 1, f.queue.requests(queue.Put))
}
