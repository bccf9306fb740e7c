package region_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/region"
)

// regionOf returns the region of the only client in these tests, or "none".
func regionOf(l *region.Locator) string {
	if got, ok := l.Choose(netip.MustParseAddr("198.51.100.1")); ok {
		return got
	}
	return "none"
}

// reloadOptions returns the options of a locator in these tests.
func reloadOptions(source string, c *clock, f *failures) region.Options {
	return region.Options{
		IPRanges: source, Reload: time.Minute, Report: f.report, After: c.after, Pools: []string{"us-west-2", "us-east-1"},
	}
}

func TestReloadOfAFile(t *testing.T) {
	path, c, f := tempFile(t, ipRanges("198.51.100.0/24 us-west-2")), newClock(), &failures{}
	l := newLocator(t, reloadOptions(path, c, f))
	runLocator(t, l)
	require.Equal(t, time.Minute, c.pause(t))
	require.Equal(t, "us-west-2", regionOf(l))

	replaceFile(t, path, ipRanges("198.51.100.0/24 us-east-1"))
	require.Equal(t, "us-west-2", regionOf(l), "not before the interval has passed")
	c.tick(t)
	require.Equal(t, time.Minute, c.pause(t))
	require.Equal(t, "us-east-1", regionOf(l))

	replaceFile(t, path, ipRanges("203.0.113.0/24 us-east-1"))
	c.tick(t)
	c.pause(t)
	require.Equal(t, "none", regionOf(l), "an entry that the document lost is forgotten")
	require.Empty(t, f.drain())
}

func TestBadReloadKeepsTheOldTable(t *testing.T) {
	path, c, f := tempFile(t, ipRanges("198.51.100.0/24 us-west-2")), newClock(), &failures{}
	l := newLocator(t, reloadOptions(path, c, f))
	runLocator(t, l)
	c.pause(t)

	reload := func(want time.Duration, why string) {
		t.Helper()
		c.tick(t)
		require.Equal(t, want, c.pause(t))
		require.Equal(t, "us-west-2", regionOf(l))
		require.Equal(t, []string{"load IP ranges from " + path + ": " + why}, f.drain())
	}
	replaceFile(t, path, ipRanges("198.51.100.0/24 us-east-1", "x us-east-1"))
	reload(5*time.Second, `"x" is not an IPv4 prefix`)
	replaceFile(t, path, ipRanges())
	reload(10*time.Second, "no prefix with a region in the document")
	require.NoError(t, os.Remove(path))
	reload(20*time.Second, "no such file or directory")
	reload(40*time.Second, "no such file or directory")
	reload(time.Minute, "no such file or directory")
	reload(time.Minute, "no such file or directory")

	replaceFile(t, path, ipRanges("198.51.100.0/24 us-east-1"))
	c.tick(t)
	require.Equal(t, time.Minute, c.pause(t))
	require.Equal(t, "us-east-1", regionOf(l))
	require.Empty(t, f.drain())
	require.NoError(t, os.Remove(path))
	c.tick(t)
	require.Equal(t, 5*time.Second, c.pause(t), "a successful load resets the count of failures")
}

func TestRetryDelayIsCappedByTheInterval(t *testing.T) {
	c, f := newClock(), &failures{}
	o := reloadOptions("nowhere.json", c, f)
	o.Reload = time.Second
	l, err := region.New(o)
	require.NoError(t, err)
	runLocator(t, l)
	require.Equal(t, time.Second, c.pause(t))
}

func TestRunLoadsAtOnceIfLoadWasNotCalled(t *testing.T) {
	c := newClock()
	l, err := region.New(reloadOptions(tempFile(t, ipRanges("198.51.100.0/24 us-west-2")), c, &failures{}))
	require.NoError(t, err)
	runLocator(t, l)
	require.Equal(t, time.Minute, c.pause(t))
	require.Equal(t, "us-west-2", regionOf(l))
}

func TestIntervalDefaultsToOneHour(t *testing.T) {
	c := newClock()
	o := reloadOptions(tempFile(t, ipRanges("198.51.100.0/24 us-west-2")), c, &failures{})
	o.Reload = 0
	runLocator(t, newLocator(t, o))
	require.Equal(t, time.Hour, c.pause(t))
}

func TestAfterDefaultsToTheWallClock(t *testing.T) {
	path := tempFile(t, ipRanges("198.51.100.0/24 us-west-2"))
	o := reloadOptions(path, newClock(), &failures{})
	o.Reload, o.After = time.Millisecond, nil
	l := newLocator(t, o)
	runLocator(t, l)
	replaceFile(t, path, ipRanges("198.51.100.0/24 us-east-1"))
	require.Eventually(t, func() bool { return regionOf(l) == "us-east-1" }, waitTimeout, time.Millisecond)
}

func TestFirstLoadOfAMissingFile(t *testing.T) {
	f := &failures{}
	l, err := region.New(reloadOptions(t.TempDir()+"/ranges.json", newClock(), f))
	require.NoError(t, err)
	require.ErrorContains(t, l.Load(t.Context()), "ranges.json: no such file or directory")
	require.Empty(t, f.drain(), "an error is returned or reported, not both")
}

// TestLookupsContinueDuringALoad also shows that stopping a locator does not report its load as
// failed.
func TestLookupsContinueDuringALoad(t *testing.T) {
	var loads atomic.Int32
	asked := make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if loads.Add(1) == 1 {
			fmt.Fprint(w, ipRanges("198.51.100.0/24 us-west-2"))
			return
		}
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	c, f := newClock(), &failures{}
	l := newLocator(t, reloadOptions(s.URL, c, f))
	stop := runLocator(t, l)
	c.pause(t)
	c.tick(t)
	select {
	case <-asked:
	case <-time.After(waitTimeout):
		require.FailNow(t, "the locator does not load again")
	}
	require.Equal(t, "us-west-2", regionOf(l))
	stop()
	require.Empty(t, f.drain())
	require.EqualValues(t, 2, loads.Load())
}

// TestLookupsDuringReloads is for the race detector. Every answer comes from one document or the
// other.
func TestLookupsDuringReloads(t *testing.T) {
	docs := []string{ipRanges("198.51.100.0/24 us-west-2"), ipRanges("198.51.100.0/24 us-east-1")}
	path, c, f := tempFile(t, docs[0]), newClock(), &failures{}
	l := newLocator(t, reloadOptions(path, c, f))
	runLocator(t, l)
	c.pause(t)
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan map[string]int)
	go func() {
		regions := map[string]int{}
		for ctx.Err() == nil || len(regions) == 0 {
			regions[regionOf(l)]++
		}
		seen <- regions
	}()
	for i := range 100 {
		replaceFile(t, path, docs[(i+1)%2])
		c.tick(t)
		c.pause(t)
	}
	cancel()
	regions := <-seen
	delete(regions, "us-west-2")
	delete(regions, "us-east-1")
	require.Empty(t, regions)
	require.Empty(t, f.drain())
}
