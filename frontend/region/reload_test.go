package region_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/region"
)

// where is the region of the one client of these tests, or "none".
func where(l *region.Locator) string {
	if got, ok := l.Choose(netip.MustParseAddr("198.51.100.1")); ok {
		return got
	}
	return "none"
}

// reloaded is what a locator of these tests is made of.
func reloaded(source string, c *clock, f *failures) region.Options {
	return region.Options{
		Source: source, Interval: time.Minute, Report: f.report, After: c.after, Pools: []string{"us-west-2", "us-east-1"},
	}
}

func TestReloadOfAFile(t *testing.T) {
	path, c, f := file(t, entries("198.51.100.0/24 us-west-2")), newClock(), &failures{}
	l := located(t, reloaded(path, c, f))
	run(t, l)
	require.Equal(t, time.Minute, c.pause(t))
	require.Equal(t, "us-west-2", where(l))

	write(t, path, entries("198.51.100.0/24 us-east-1"))
	require.Equal(t, "us-west-2", where(l), "not before the interval has passed")
	c.tick(t)
	require.Equal(t, time.Minute, c.pause(t))
	require.Equal(t, "us-east-1", where(l))

	write(t, path, entries("203.0.113.0/24 us-east-1"))
	c.tick(t)
	c.pause(t)
	require.Equal(t, "none", where(l), "what is gone from the document is forgotten")
	require.Empty(t, f.take())
}

func TestBadReloadKeepsTheOldTable(t *testing.T) {
	path, c, f := file(t, entries("198.51.100.0/24 us-west-2")), newClock(), &failures{}
	l := located(t, reloaded(path, c, f))
	run(t, l)
	c.pause(t)

	reload := func(want time.Duration, why string) {
		t.Helper()
		c.tick(t)
		require.Equal(t, want, c.pause(t))
		require.Equal(t, "us-west-2", where(l))
		require.Equal(t, []string{"load IP ranges from " + path + ": " + why}, f.take())
	}
	write(t, path, entries("198.51.100.0/24 us-east-1", "x us-east-1"))
	reload(5*time.Second, `"x" is not an IPv4 prefix`)
	write(t, path, entries())
	reload(10*time.Second, "no prefix with a region in the document")
	require.NoError(t, os.Remove(path))
	reload(20*time.Second, "no such file or directory")
	reload(40*time.Second, "no such file or directory")
	reload(time.Minute, "no such file or directory")
	reload(time.Minute, "no such file or directory")

	write(t, path, entries("198.51.100.0/24 us-east-1"))
	c.tick(t)
	require.Equal(t, time.Minute, c.pause(t))
	require.Equal(t, "us-east-1", where(l))
	require.Empty(t, f.take())
	require.NoError(t, os.Remove(path))
	c.tick(t)
	require.Equal(t, 5*time.Second, c.pause(t), "failures are counted anew")
}

func TestRetriesComeNoLaterThanTheInterval(t *testing.T) {
	c, f := newClock(), &failures{}
	o := reloaded("nowhere.json", c, f)
	o.Interval = time.Second
	l, err := region.New(o)
	require.NoError(t, err)
	run(t, l)
	require.Equal(t, time.Second, c.pause(t))
}

func TestTheIntervalIsAnHourByDefault(t *testing.T) {
	c := newClock()
	o := reloaded(file(t, entries("198.51.100.0/24 us-west-2")), c, &failures{})
	o.Interval = 0
	run(t, located(t, o))
	require.Equal(t, time.Hour, c.pause(t))
}

func TestTheClockIsTheWallsByDefault(t *testing.T) {
	path := file(t, entries("198.51.100.0/24 us-west-2"))
	o := reloaded(path, newClock(), &failures{})
	o.Interval, o.After = time.Millisecond, nil
	l := located(t, o)
	run(t, l)
	write(t, path, entries("198.51.100.0/24 us-east-1"))
	require.Eventually(t, func() bool { return where(l) == "us-east-1" }, patience, time.Millisecond)
}

func TestFirstLoadOfAFileThatIsNotThere(t *testing.T) {
	f := &failures{}
	l, err := region.New(reloaded(t.TempDir()+"/ranges.json", newClock(), f))
	require.NoError(t, err)
	require.ErrorContains(t, l.Load(t.Context()), "ranges.json: no such file or directory")
	require.Empty(t, f.take(), "an error is returned or reported, not both")
}

// ranges is a server of a document with an ETag.
type ranges struct {
	*httptest.Server
	mu      sync.Mutex
	body    string
	etag    string
	status  int // in place of 200
	answers map[int]int
}

func newRanges(t *testing.T, body, etag string) *ranges {
	s := &ranges{body: body, etag: etag, answers: map[int]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *ranges) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := http.StatusOK
	switch {
	case s.status != 0:
		status = s.status
	case s.etag != "" && r.Header.Get("If-None-Match") == s.etag:
		status = http.StatusNotModified
	}
	s.answers[status]++
	if s.etag != "" {
		w.Header().Set("ETag", s.etag)
	}
	w.WriteHeader(status)
	if status == http.StatusOK {
		fmt.Fprint(w, s.body)
	}
}

func (s *ranges) set(body, etag string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body, s.etag, s.status = body, etag, status
}

// counts returns how many answers of each status there were since the call before.
func (s *ranges) counts() map[int]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := s.answers
	s.answers = map[int]int{}
	return counts
}

func TestReloadOfAURL(t *testing.T) {
	west, east := entries("198.51.100.0/24 us-west-2"), entries("198.51.100.0/24 us-east-1")
	s, c, f := newRanges(t, west, `"1"`), newClock(), &failures{}
	l := located(t, reloaded(s.URL+"/ranges.json", c, f))
	run(t, l)
	require.Equal(t, time.Minute, c.pause(t))
	require.Equal(t, map[int]int{200: 1}, s.counts())

	for _, step := range []struct {
		name, body, etag string
		status           int
		answers          map[int]int
		pause            time.Duration
		region           string
		failed           string
	}{
		{"unchanged", west, `"1"`, 0, map[int]int{304: 1}, time.Minute, "us-west-2", ""},
		{"changed", east, `"2"`, 0, map[int]int{200: 1}, time.Minute, "us-east-1", ""},
		{"unchanged again", east, `"2"`, 0, map[int]int{304: 1}, time.Minute, "us-east-1", ""},
		{"bad", "<html>", `"3"`, 0, map[int]int{200: 1}, 5 * time.Second, "us-east-1", "not a document"},
		{"bad still, and asked for still", "<html>", `"3"`, 0, map[int]int{200: 1}, 10 * time.Second, "us-east-1", "not a document"},
		{"down", "", "", 503, map[int]int{503: 1}, 20 * time.Second, "us-east-1", "answered 503 Service Unavailable"},
		{"back", east, `"2"`, 0, map[int]int{304: 1}, time.Minute, "us-east-1", ""},
		{"mended", west, `"4"`, 0, map[int]int{200: 1}, time.Minute, "us-west-2", ""},
		{"without an ETag", east, "", 0, map[int]int{200: 1}, time.Minute, "us-east-1", ""},
		{"without an ETag, unchanged", east, "", 0, map[int]int{200: 1}, time.Minute, "us-east-1", ""},
		{"unchanged since never", east, "", 304, map[int]int{304: 1}, 5 * time.Second, "us-east-1", "answered 304"},
	} {
		s.set(step.body, step.etag, step.status)
		c.tick(t)
		require.Equal(t, step.pause, c.pause(t), step.name)
		require.Equal(t, step.answers, s.counts(), step.name)
		require.Equal(t, step.region, where(l), step.name)
		failed := f.take()
		if step.failed == "" {
			require.Empty(t, failed, step.name)
			continue
		}
		require.Len(t, failed, 1, step.name)
		require.Contains(t, failed[0], "load IP ranges from "+s.URL+"/ranges.json: "+step.failed, step.name)
	}
}

func TestFirstLoadOfAURLThatIsDown(t *testing.T) {
	s, c, f := newRanges(t, "", ""), newClock(), &failures{}
	s.set("", "", 500)
	l := located(t, reloaded(s.URL, c, f))
	require.Len(t, f.take(), 1)
	require.Equal(t, "none", where(l))

	run(t, l)
	require.Equal(t, 5*time.Second, c.pause(t), "it has failed once already")
	s.set(entries("198.51.100.0/24 us-west-2"), "", 0)
	c.tick(t)
	require.Equal(t, time.Minute, c.pause(t))
	require.Equal(t, "us-west-2", where(l))
	require.Empty(t, f.take())
}

func TestRunLoadsAtOnceIfLoadWasNotCalled(t *testing.T) {
	s, c := newRanges(t, entries("198.51.100.0/24 us-west-2"), ""), newClock()
	l, err := region.New(reloaded(s.URL, c, &failures{}))
	require.NoError(t, err)
	run(t, l)
	require.Equal(t, time.Minute, c.pause(t))
	require.Equal(t, "us-west-2", where(l))
}

func TestDownloadsAreBounded(t *testing.T) {
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}
	silent := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "{")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	cutOff := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		fmt.Fprint(w, entries("198.51.100.0/24 us-west-2"))
	}
	for name, tc := range map[string]struct {
		serve   http.HandlerFunc
		timeout time.Duration
		why     string
	}{
		"endless": {endless, patience, "more than 1000000 bytes"},
		"silent":  {silent, 50 * time.Millisecond, "context deadline exceeded"},
		"cut off": {cutOff, patience, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(tc.serve)
			t.Cleanup(s.Close)
			f := &failures{}
			o := reloaded(s.URL, newClock(), f)
			o.MaxBytes, o.Timeout = 1_000_000, tc.timeout
			require.Equal(t, "none", where(located(t, o)))
			failed := f.take()
			require.Len(t, failed, 1)
			require.Contains(t, failed[0], tc.why)
		})
	}
}

func TestErrorsShowNoSecretsOfTheURL(t *testing.T) {
	f := &failures{}
	s := newRanges(t, "", "")
	s.Close()
	located(t, reloaded("http://user:secret@"+s.Listener.Addr().String()+"/ranges.json?secret", newClock(), f))
	failed := f.take()
	require.Len(t, failed, 1)
	require.Contains(t, failed[0], "load IP ranges from "+s.URL+"/ranges.json: ")
	require.NotContains(t, failed[0], "secret")

	_, err := region.New(reloaded("http://user:secret@host:port/", newClock(), f))
	require.ErrorContains(t, err, "not a usable URL")
	require.NotContains(t, err.Error(), "secret")
}

// TestLookupsGoOnDuringALoad also shows that the end of a locator is no failure of its load.
func TestLookupsGoOnDuringALoad(t *testing.T) {
	var loads atomic.Int32
	asked := make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if loads.Add(1) == 1 {
			fmt.Fprint(w, entries("198.51.100.0/24 us-west-2"))
			return
		}
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	c, f := newClock(), &failures{}
	l := located(t, reloaded(s.URL, c, f))
	stop := run(t, l)
	c.pause(t)
	c.tick(t)
	select {
	case <-asked:
	case <-time.After(patience):
		require.FailNow(t, "nobody asks")
	}
	require.Equal(t, "us-west-2", where(l))
	stop()
	require.Empty(t, f.take())
	require.EqualValues(t, 2, loads.Load())
}

// TestLookupsBesideReloads is for the race detector: every answer is of one document or the other.
func TestLookupsBesideReloads(t *testing.T) {
	docs := []string{entries("198.51.100.0/24 us-west-2"), entries("198.51.100.0/24 us-east-1")}
	path, c, f := file(t, docs[0]), newClock(), &failures{}
	l := located(t, reloaded(path, c, f))
	run(t, l)
	c.pause(t)
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan map[string]int)
	go func() {
		regions := map[string]int{}
		for ctx.Err() == nil || len(regions) == 0 {
			regions[where(l)]++
		}
		seen <- regions
	}()
	for i := range 100 {
		write(t, path, docs[(i+1)%2])
		c.tick(t)
		c.pause(t)
	}
	cancel()
	regions := <-seen
	delete(regions, "us-west-2")
	delete(regions, "us-east-1")
	require.Empty(t, regions)
	require.Empty(t, f.take())
}
