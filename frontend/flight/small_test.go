package flight_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// atLeast returns a target of the fixture's object with a minimum size.
func (f *fixture) atLeast(minSize int64) *flight.Target {
	target := flight.NewTarget(f.Pools()[0], source)
	target.MinSize = minSize
	return target
}

// tooSmall records that the object has 500 bytes, and is too small.
func (f *fixture) tooSmall(t *testing.T) cache.Entry {
	t.Helper()
	e := cachetest.Rules().TooSmall(time.Now(), 500)
	require.NoError(t, f.cache.Put(t.Context(), f.target.Key, 0, e))
	return e
}

func putAtLeast(minSize int64) queue.Request {
	r := put("")
	r.MinSize = minSize
	return r
}

// TestSmallObject has an object of 500 bytes that was too small for an earlier request.
func TestSmallObject(t *testing.T) {
	for name, tc := range map[string]struct {
		minSize int64
		sent    []queue.Request
	}{
		"without a minimum":                     {0, []queue.Request{putAtLeast(0)}},
		"with the object's size as the minimum": {500, []queue.Request{putAtLeast(500)}},
		"with a larger minimum":                 {501, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			small := f.tooSmall(t)
			out := f.Await(t.Context(), f.atLeast(tc.minSize), "", flight.Wait{Until: time.Now().Add(20 * time.Millisecond)})
			require.Equal(t, tc.sent, f.queue.requests())
			require.Equal(t, len(tc.sent), f.bucket.Heads)
			entry := f.entry(t, f.target)
			if tc.sent == nil {
				require.True(t, out.FirstLook)
				require.Equal(t, small, out.Entry)
				require.Equal(t, small, entry)
				return
			}
			require.True(t, out.TimedOut)
			require.Equal(t, cache.Pending, entry.State)
		})
	}
}

// TestSmallObjectInTheBucket finds the copy that was made for a request without a minimum.
func TestSmallObjectInTheBucket(t *testing.T) {
	f := newFixture(t)
	f.store(t)
	for _, minSize := range []int64{1000, 0} {
		out := f.Await(t.Context(), f.atLeast(minSize), "", flight.Wait{Until: time.Now().Add(time.Minute)})
		require.Equal(t, cache.Present, out.Entry.State)
	}
	require.Empty(t, f.queue.requests())
	require.Equal(t, 1, f.bucket.Heads, "control: the entry was missing")
}

func TestListRequestsASmallObject(t *testing.T) {
	f := newFixture(t)
	f.tooSmall(t)
	e, err := f.Warm(t.Context(), f.target, nil)
	require.NoError(t, err)
	require.Equal(t, cache.Pending, e.State)
	require.Equal(t, []queue.Request{put(queue.Low)}, f.queue.requests())
}

// TestListMeetsACopyWithAMinimum shows the limit that frontend/README.md states: a list waits for
// no copy. If the running one ends as too small, the list has to be sent again.
func TestListMeetsACopyWithAMinimum(t *testing.T) {
	f := newFixture(t)
	require.True(t, f.Await(t.Context(), f.atLeast(1000), "", flight.Wait{Until: time.Now()}).TimedOut)
	e, err := f.Warm(t.Context(), f.target, nil)
	require.NoError(t, err)
	require.Equal(t, cache.Pending, e.State)
	require.Equal(t, []queue.Request{putAtLeast(1000)}, f.queue.requests())
	f.tooSmall(t)
	_, err = f.Warm(t.Context(), f.target, nil)
	require.NoError(t, err)
	require.Equal(t, []queue.Request{putAtLeast(1000), put(queue.Low)}, f.queue.requests())
}

// TestMinimumIsRequested requests copies while redis is down, and of a list's copy.
func TestMinimumIsRequested(t *testing.T) {
	f := newFixture(t)
	_, err := f.Warm(t.Context(), f.target, nil)
	require.NoError(t, err)
	for range 2 {
		require.True(t, f.Await(t.Context(), f.atLeast(7), "", flight.Wait{Until: time.Now()}).TimedOut)
		f.cache.Fail(context.DeadlineExceeded)
	}
	require.Equal(t, []queue.Request{put(queue.Low), putAtLeast(7), putAtLeast(7)}, f.queue.requests())
}

// await has a client wait for a target, and returns the channel of its outcome.
func (f *fixture) await(t *testing.T, target *flight.Target) <-chan flight.Outcome {
	t.Helper()
	before, ended := f.cache.Waiting(target.Key), make(chan flight.Outcome, 1)
	go func() {
		ended <- f.Await(context.WithoutCancel(t.Context()), target, "", flight.Wait{Until: time.Now().Add(20 * time.Second)})
	}()
	require.Eventually(t, func() bool { return f.cache.Waiting(target.Key) == before+1 }, 5*time.Second, time.Millisecond)
	return ended
}

// TestClientsOfTwoMinimums has three clients wait for one copy, which the first of them requested.
// The object is too small for that client. One of the others requests it again. The first client
// may see that request, and then gets the copy as well.
func TestClientsOfTwoMinimums(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	high := f.await(t, f.atLeast(1000))
	require.Eventually(t, func() bool { return len(f.queue.requests()) == 1 }, 5*time.Second, time.Millisecond)
	low, equal := f.await(t, f.target), f.await(t, f.atLeast(500))
	require.Len(t, f.queue.requests(), 1, "both share the lease")

	small := f.tooSmall(t)
	require.Eventually(t, func() bool { return len(f.queue.requests()) > 1 }, 5*time.Second, time.Millisecond)
	present := cachetest.Rules().Present(time.Now(), cache.Copy{Size: 500})
	require.NoError(t, f.cache.Put(t.Context(), f.target.Key, 0, present))
	if out := <-high; out.Entry.State != cache.Present {
		require.Equal(t, small, out.Entry)
	}
	require.Equal(t, cache.Present, (<-low).Entry.State)
	require.Equal(t, cache.Present, (<-equal).Entry.State)
	sent := f.queue.requests()
	require.Len(t, sent, 2)
	require.Equal(t, putAtLeast(1000), sent[0])
	require.Contains(t, []queue.Request{putAtLeast(0), putAtLeast(500)}, sent[1])
}

// changing replaces an entry just before the first Drop.
type changing struct {
	*cachetest.Memory
	by    cache.Entry
	drops int
}

func (c *changing) Drop(ctx context.Context, key string, e cache.Entry) (bool, error) {
	if c.drops++; c.drops == 1 {
		if err := c.Put(ctx, key, 0, c.by); err != nil {
			return false, err
		}
	}
	return c.Memory.Drop(ctx, key, e)
}

// TestOnlyTheSmallEntryIsDropped has a worker publish a copy between a flight's read and its drop.
func TestOnlyTheSmallEntryIsDropped(t *testing.T) {
	var c *changing
	f := newFixture(t, func(o *flight.Options) {
		c = &changing{Memory: o.Cache.(*cachetest.Memory), by: cachetest.Rules().Present(time.Now(), cache.Copy{Size: 500})}
		o.Cache = c
	})
	f.tooSmall(t)
	out := f.Await(t.Context(), f.target, "", flight.Wait{Until: time.Now().Add(time.Minute)})
	require.Equal(t, c.by, out.Entry)
	require.Equal(t, 1, c.drops, "control: the entry was to be dropped")
	require.Empty(t, f.queue.requests())
}

// TestRefusedClientKeepsTheSmallEntry has a client without a token. It does no I/O, so the entry
// stays for the clients that it answers.
func TestRefusedClientKeepsTheSmallEntry(t *testing.T) {
	f := newFixture(t, func(o *flight.Options) { o.ColdRate, o.ColdBurst = 1, 1 })
	wait := flight.Wait{Until: time.Now(), Client: address(1), Cold: true}
	other := flight.NewTarget(f.Pools()[0], source+"?other")
	require.True(t, f.Await(t.Context(), other, "", wait).TimedOut, "control: it spends its token")
	small := f.tooSmall(t)
	require.NotNil(t, f.Await(t.Context(), f.target, "", wait).Refused)
	require.Equal(t, small, f.entry(t, f.target))
}
