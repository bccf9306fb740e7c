package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// editions is a source of objects that have editions. Each GET takes a while, so that a purge meets
// every phase of a copy.
type editions struct {
	*source
	mu       sync.Mutex
	current  map[string]int // Edition by path
	open     map[string]int // GETs in flight by path
	together atomic.Int64   // The most GETs of one object in flight
}

// newEditions serves size bytes, each of them the number of the edition. Objects whose path ends in
// /large are large, and are sent in one stream.
func newEditions(t *testing.T, size int, takes time.Duration) *editions {
	t.Helper()
	e := &editions{current: map[string]int{}, open: map[string]int{}}
	e.source = newSource(t, 0, func(_ *source, w http.ResponseWriter, r *http.Request, _ int) {
		edition, leave := e.enter(r.URL.Path)
		defer leave()
		size := size
		if strings.HasSuffix(r.URL.Path, "/large") {
			size = 9 * mib
		}
		w.Header().Set("ETag", strconv.Quote(strconv.Itoa(edition)))
		w.Header().Set("Content-Length", strconv.Itoa(size))
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
		case <-time.After(takes):
			_, _ = w.Write(bytes.Repeat([]byte{byte(edition)}, size))
		}
	})
	return e
}

func (e *editions) enter(path string) (edition int, leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.open[path]++
	if !strings.HasSuffix(path, "/large") { // The first request for it is closed unread.
		e.together.Store(max(e.together.Load(), int64(e.open[path])))
	}
	return e.current[path], func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.open[path]--
	}
}

func (e *editions) publish(path string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current[path]++
}

// TestPurgeLosesNoRequest purges objects at every phase of their copies, while a client waits. No
// client waits out a lease. Each gets an edition that the source had at its answer. No object is
// copied twice at once.
func TestPurgeLosesNoRequest(t *testing.T) {
	const (
		trials, parallel = 200, 4
		purgeSlack       = 10 * time.Second // On a busy machine.
	)
	random := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(testSeed(t)))))
	s := newEditions(t, 100_000, 100*time.Millisecond)
	idle := ask(t, west, s.object(), "")
	require.True(t, idle.isCopy())

	var mu sync.Mutex
	var waits []time.Duration
	type trial struct {
		delay time.Duration
		large bool
	}
	work := make(chan trial)
	var all sync.WaitGroup
	for range parallel {
		all.Go(func() {
			for w := range work {
				object := s.object()
				if w.large {
					object = strings.Replace(object, "/file.bin?", "/large?", 1)
				}
				wait, err := s.purgeWhileAClientWaits(object, w.delay)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				waits = append(waits, wait)
				mu.Unlock()
			}
		})
	}
	for i := range trials {
		work <- trial{time.Duration(random.Int64N(int64(idle.took * 3 / 2))), i%10 == 0}
	}
	close(work)
	all.Wait()
	slices.Sort(waits)
	t.Logf("idle %s; from purge to answer: median %s, 95%% %s, longest %s", idle.took,
		waits[trials/2], waits[trials*95/100], waits[trials-1])
	require.EqualValues(t, 1, s.together.Load(), "copies of one object at once")
	// A purged copy learns of its purge by a heartbeat, one a second, and ends within 2 s. Then the
	// client waits for one more copy. A lost request would cost the lease, 20 s, or the wait, 28 s.
	require.Less(t, waits[trials-1], idle.took+2*time.Second+purgeSlack)
}

// purgeWhileAClientWaits requests an object. After the delay it publishes the second edition and
// purges the object. It returns the time from the purge to the client's answer. A second client
// must get the second edition in any case.
func (s *editions) purgeWhileAClientWaits(object string, delay time.Duration) (time.Duration, error) {
	answered := make(chan error, 1)
	var end time.Time
	var purged atomic.Bool
	go func() {
		a, err := request(http.MethodGet, redirectURL(0, west, object, ""), "")
		end = time.Now()
		late := purged.Load()
		if err == nil && late {
			err = s.requireSecond(a)
		}
		answered <- err
	}()
	<-time.After(delay) // The phase of the copy that the purge meets
	u, err := url.Parse(object)
	if err != nil {
		return 0, err
	}
	s.publish(u.Path)
	start := time.Now()
	target := redirectURL(1, west, object, "")
	a, err := request(http.MethodDelete, strings.Replace(target, "/v1/redirect/", "/v1/purge/", 1), stack.PurgeToken)
	for err == nil && a.status == http.StatusServiceUnavailable && time.Since(start) < time.Minute { // As a client does
		a, err = request(http.MethodDelete, strings.Replace(target, "/v1/redirect/", "/v1/purge/", 1), stack.PurgeToken)
	}
	if err == nil && a.status != http.StatusNoContent {
		err = fmt.Errorf("purge: status %d", a.status)
	}
	purged.Store(true)
	if first := <-answered; err == nil {
		err = first
	}
	if err != nil {
		return 0, err
	}
	if a, err = request(http.MethodGet, redirectURL(1, west, object, ""), ""); err != nil {
		return 0, err
	}
	return max(end.Sub(start), 0), s.requireSecond(a)
}

// requireSecond returns an error unless the answer leads to a copy of the second edition.
func (s *editions) requireSecond(a answer) error {
	if !a.isCopy() {
		return fmt.Errorf("no copy: %d %+v", a.status, a.body)
	}
	resp, err := http.Get(a.location)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && (len(body) == 0 || body[0] != 1) {
		err = fmt.Errorf("status %d, edition %v, want 1", resp.StatusCode, body[:min(1, len(body))])
	}
	return err
}
