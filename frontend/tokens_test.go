package frontend_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/region"
)

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestGuessesAreLimited sends 2,000 wrong tokens as fast as it can, to all routes that take one.
// A right token is accepted meanwhile, from the same address.
func TestGuessesAreLimited(t *testing.T) {
	log, registry := &syncBuffer{}, prometheus.NewRegistry()
	f := newFixture(t, func(o *options) {
		o.ClientOf = func(r *http.Request) netip.Addr { return region.Client(r, 0) }
		o.Tokens = newGuard(t, zerolog.New(log), registry, "ci purge "+token)
	})
	f.metrics = registry
	ask := func(method, target, authorization, from string) *http.Response {
		r := httptest.NewRequest(method, target, http.NoBody)
		r.RemoteAddr = from
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, r)
		return w.Result()
	}
	for _, result := range []string{"missing", "wrong", "limited", "scope"} {
		require.Zero(t, f.metric(t, "cloud_mirror_refused_tokens_total", result))
	}
	below := "/s3/us-west-2/" + url.QueryEscape(source)
	lines := []string{"DELETE /v1/purge" + below, "POST /v1/copies", "GET /v1/status" + below}
	statuses, right := map[int]int{}, 0
	start := time.Now()
	for i := range 2000 {
		method, target, _ := strings.Cut(lines[i%len(lines)], " ")
		// Addresses of one /64 are one client.
		from := "[2001:db8::" + strconv.FormatInt(int64(1+i%5000), 16) + "]:1234"
		a := ask(method, target, "Bearer guess-"+strconv.Itoa(i), from)
		statuses[a.StatusCode]++
		if a.StatusCode == http.StatusTooManyRequests {
			seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
			require.NoError(t, err)
			require.True(t, 0 < seconds && seconds <= 60, "%d", seconds)
		}
		if i%100 == 99 && ask("DELETE", "/v1/purge"+below, "Bearer "+token, from).StatusCode == http.StatusNoContent {
			right++
		}
	}
	took := time.Since(start)
	require.Equal(t, map[int]int{401: 10, 429: 1990}, statuses)
	require.Equal(t, 20, right, "a right token is limited")
	require.InDelta(t, 10, f.metric(t, "cloud_mirror_refused_tokens_total", "wrong"), 0)
	require.InDelta(t, 1990, f.metric(t, "cloud_mirror_refused_tokens_total", "limited"), 0)
	require.Equal(t, 1, strings.Count(log.String(), "\n"))
	require.Contains(t, log.String(), `"client":"2001:db8::"`)
	require.NotContains(t, log.String(), "guess-")
	require.Equal(t, 401, ask("DELETE", "/v1/purge"+below, "Bearer guess", "192.0.2.1:1").StatusCode, "control: another address")
	require.Equal(t, 403, ask("POST", "/v1/copies", "Bearer "+token, "192.0.2.1:1").StatusCode)
	require.InDelta(t, 1, f.metric(t, "cloud_mirror_refused_tokens_total", "scope"), 0)
	t.Logf("2,000 guesses in %v; the log afterwards:\n%s", took, log)
}

// TestDetailsOfAStatus: the operators' text and the owner are for tokens with the scope status.
func TestDetailsOfAStatus(t *testing.T) {
	target := "/v1/status/s3/us-west-2/" + url.QueryEscape(source)
	f := newFixture(t)
	f.put(t, cachetest.Rules().Failed(time.Now(), cache.Reason{Class: "SourceTruncated", Text: "private text"}))
	pending := newFixture(t)
	_, _, err := pending.cache.Acquire(t.Context(), key(), cachetest.Rules().Pending(time.Now(), "host/42", 0, -1))
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		authorization string
		status        int
		cause, owner  any
	}{
		"anonymous":      {"", 200, nil, nil},
		"another scheme": {"Basic " + token, 200, nil, nil},
		"right token":    {"Bearer " + token, 200, "private text", "host/42"},
		"another scope":  {"Bearer " + otherToken, 403, nil, nil},
		"wrong token":    {"Bearer x", 401, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := f.ask(t, "GET", target, "Authorization", tc.authorization)
			require.Equal(t, tc.status, a.status)
			require.Equal(t, tc.cause, a.body["cause"])
			if tc.cause == nil {
				require.NotContains(t, a.raw, "private text")
			}
			a = pending.ask(t, "GET", target, "Authorization", tc.authorization)
			require.Equal(t, tc.status, a.status)
			require.Equal(t, tc.owner, a.body["owner"])
			if tc.owner == nil {
				require.NotContains(t, a.raw, "host/42")
			}
		})
	}
}
