package flight

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// TestRefusalEstimatesTheWait has clients wait for half a minute each. A client that finds no place
// is told to come back after that time.
func TestRefusalEstimatesTheWait(t *testing.T) {
	g := &Group{limits: limits{all: 1, perObject: 1, perClient: 1}, flights: map[flightID]*flight{}}
	target := NewTarget(&Pool{Pool: storage.Pool{Service: "s3", Region: "us-west-2"}}, "https://example.com/")
	f := &flight{group: g, target: target, starter: address(1), cancel: func() {}}
	enter := func() {
		f.clients++
		g.clients++
		count(&g.waiting, f.starter, 1)
	}
	refused := func() *LimitError {
		_, refused := g.join(t.Context(), target, "", Wait{Client: address(2)})
		return refused
	}
	enter()
	require.Equal(t, &LimitError{Limit: LimitWaiters, RetryAfter: time.Second}, refused(), "no client has left yet")
	for range 4 * meanWaitOver {
		enter()
		f.leave(f.starter, 30*time.Second)
	}
	require.Equal(t, LimitWaiters, refused().Limit)
	require.InDelta(t, 30, refused().RetryAfter.Seconds(), 1)
}

// TestNews notes entries, one after the other. Only those that may end a wait wake the clients.
func TestNews(t *testing.T) {
	f := &flight{group: &Group{}, changed: make(chan struct{})}
	known := cache.Entry{State: cache.Pending, SHA256: strings.Repeat("0a", 32)}
	failed := cache.Entry{State: cache.Error, Reason: cache.Reason{Class: "x"}}
	for i, step := range []struct {
		entry cache.Entry
		wakes bool
		want  cache.Entry
	}{
		{cache.Entry{State: cache.Pending, Owner: "a"}, false, cache.Entry{}},
		{cache.Entry{State: cache.Pending, Owner: "a", Done: 1}, false, cache.Entry{}},
		{cache.Entry{State: cache.Pending, SHA256: known.SHA256, Done: 2}, true, known},
		{cache.Entry{State: cache.Pending, SHA256: known.SHA256, Done: 3}, false, known},
		{failed, true, failed},
		{failed, false, failed},
		{cache.Entry{State: cache.Pending}, true, cache.Entry{}},
	} {
		_, changed := f.noted()
		f.note(step.entry)
		seen, _ := f.noted()
		require.Equal(t, step.want, seen, "step %d", i)
		woken := false
		select {
		case <-changed:
			woken = true
		default:
		}
		require.Equal(t, step.wakes, woken, "step %d", i)
	}
}
