package flight_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// every is longer than any test.
const every = 10 * time.Minute

// verifiedBucket counts finished HEADs.
type verifiedBucket struct {
	*storagetest.Memory
	heads atomic.Int64
	// during, if set, is called between the bucket's answer to a HEAD and the caller. It may change
	// the answer.
	during func(*storage.Stored, *error)
}

func (b *verifiedBucket) Head(ctx context.Context, key string) (storage.Stored, error) {
	stored, err := b.Memory.Head(ctx, key)
	if b.during != nil {
		b.during(&stored, &err)
	}
	b.heads.Add(1)
	return stored, err
}

// verifiedCache counts claims and puts.
type verifiedCache struct {
	*cachetest.Memory
	claims, puts atomic.Int64
	claimed      sync.Map // by key
}

func (c *verifiedCache) Claim(ctx context.Context, key string, d time.Duration) (time.Duration, error) {
	left, err := c.Memory.Claim(ctx, key, d)
	c.claimed.Store(key, true)
	c.claims.Add(1)
	return left, err
}

func (c *verifiedCache) Put(ctx context.Context, key string, generation int64, e cache.Entry) error {
	c.puts.Add(1)
	return c.Memory.Put(ctx, key, generation, e)
}

// verified is a fixture whose group verifies copies.
type verified struct {
	*fixture
	cache    *verifiedCache
	bucket   *verifiedBucket
	registry *prometheus.Registry
}

func newVerified(t *testing.T, edit ...func(*flight.Options)) *verified {
	t.Helper()
	v := &verified{}
	v.fixture = newFixture(t, append([]func(*flight.Options){func(o *flight.Options) {
		v.cache = &verifiedCache{Memory: o.Cache.(*cachetest.Memory)}
		v.bucket = &verifiedBucket{Memory: o.Pools[0].Bucket.(*storagetest.Memory)}
		v.registry = o.Registry
		o.Cache, o.Pools[0].Bucket, o.VerifyEvery = v.cache, v.bucket, every
	}}, edit...)...)
	t.Cleanup(v.end)
	return v
}

// end waits until the verifications in flight have finished.
func (v *verified) end() {
	v.Stop()
	v.Drain()
}

// aged is a present entry that was made half an hour ago.
func aged(expires time.Time) cache.Entry {
	return cachetest.Rules().Present(time.Now().Add(-30*time.Minute), cache.Copy{Expires: expires})
}

func (v *verified) put(t *testing.T, e cache.Entry) cache.Entry {
	t.Helper()
	require.NoError(t, v.cache.Memory.Put(t.Context(), v.target.Key, cache.AnyGeneration, e))
	return v.entry(t, v.target)
}

func (v *verified) serve(e cache.Entry) { v.Served(v.target, e, time.Now()) }

func (v *verified) awaitHeads(t *testing.T, n int64) {
	t.Helper()
	require.Eventually(t, func() bool { return v.bucket.heads.Load() >= n }, 5*time.Second, time.Millisecond)
}

func (v *verified) missing(t *testing.T) float64 {
	t.Helper()
	families, err := v.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "cloud_mirror_missing_copies_total" {
			require.Len(t, f.GetMetric(), 1)
			require.Equal(t, "s3_us-west-2", f.GetMetric()[0].GetLabel()[0].GetValue())
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	require.Fail(t, "the metric does not start at zero")
	return 0
}

func TestServedCopyIsVerified(t *testing.T) {
	soon := time.Now().Add(40 * time.Minute).Truncate(time.Second)
	later := soon.Add(24 * time.Hour)
	expiring := func(at time.Time) func(*testing.T, *verified, *storage.Stored, *error) {
		return func(_ *testing.T, _ *verified, stored *storage.Stored, _ *error) { stored.Expires = at }
	}
	for name, tc := range map[string]struct {
		expires time.Time // of the entry
		absent  bool      // from the bucket
		during  func(*testing.T, *verified, *storage.Stored, *error)
		// want is what the test expects of the entry. Nil expects the same entry.
		want    func(t *testing.T, before, after cache.Entry)
		missing float64
		puts    int64
	}{
		"a copy that the bucket has changes nothing": {},
		"the entry of a missing copy is dropped":     {absent: true, want: dropped, missing: 1},
		"an error of the bucket changes nothing": {
			absent: true, during: func(_ *testing.T, _ *verified, _ *storage.Stored, err *error) { *err = errors.New("down") },
		},
		"the same expiry is not written":            {expires: later, during: expiring(later.Add(time.Millisecond))},
		"a later expiry changes nothing":            {expires: soon, during: expiring(later)},
		"no expiry changes nothing":                 {expires: later, during: expiring(time.Time{})},
		"an earlier expiry is written":              {expires: later, during: expiring(soon), want: expires(soon), puts: 1},
		"a first expiry is written":                 {during: expiring(soon), want: expires(soon), puts: 1},
		"a copy within the expiry margin":           {expires: later, during: expiring(time.Now().Add(time.Second)), want: dropped},
		"a purge during the HEAD of a missing copy": {absent: true, during: purged, want: dropped},
		"a purge during the HEAD of a copy that expires earlier": {
			expires: later, want: dropped, puts: 1,
			during: func(t *testing.T, v *verified, stored *storage.Stored, err *error) {
				stored.Expires = soon
				purged(t, v, stored, err)
			},
		},
		"a new copy during the HEAD of a missing copy": {
			absent: true, during: replaced(later), want: expires(later),
		},
		"a new copy after a purge during the HEAD of a copy that expires earlier": {
			expires: later, want: expires(later), puts: 1,
			during: func(t *testing.T, v *verified, stored *storage.Stored, err *error) {
				stored.Expires = soon
				purged(t, v, stored, err)
				replaced(later)(t, v, stored, err)
			},
		},
		"a new copy during the HEAD of a copy within the expiry margin": {
			during: func(t *testing.T, v *verified, stored *storage.Stored, err *error) {
				stored.Expires = time.Now().Add(time.Second)
				replaced(later)(t, v, stored, err)
			},
			want: expires(later),
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVerified(t)
			if !tc.absent {
				v.store(t)
			}
			v.bucket.during = func(stored *storage.Stored, err *error) {
				if tc.during != nil {
					tc.during(t, v, stored, err)
				}
			}
			before := v.put(t, aged(tc.expires))
			require.Zero(t, v.missing(t))
			v.serve(before)
			v.awaitHeads(t, 1)
			v.end()
			after := v.entry(t, v.target)
			if tc.want == nil {
				require.Equal(t, before, after)
			} else {
				tc.want(t, before, after)
			}
			require.InDelta(t, tc.missing, v.missing(t), 0)
			require.Equal(t, tc.puts, v.cache.puts.Load())
			require.EqualValues(t, 1, v.bucket.heads.Load())
			require.Empty(t, v.queue.requests(), "only a client's request makes a copy")
		})
	}
}

func dropped(t *testing.T, _, after cache.Entry) {
	t.Helper()
	require.Equal(t, cache.Absent, after.State)
}

// expires expects a present entry that expires at a time, and a deadline before that.
func expires(at time.Time) func(*testing.T, cache.Entry, cache.Entry) {
	return func(t *testing.T, _, after cache.Entry) {
		t.Helper()
		require.Equal(t, cache.Present, after.State)
		require.Equal(t, at.Unix(), after.Expires.Unix())
		require.False(t, after.Deadline.After(at.Add(-cachetest.Rules().ExpiryMargin)))
	}
}

func purged(t *testing.T, v *verified, _ *storage.Stored, _ *error) {
	_, err := v.cache.Purge(t.Context(), v.target.Key)
	assert.NoError(t, err)
}

// replaced publishes a new copy.
func replaced(until time.Time) func(*testing.T, *verified, *storage.Stored, *error) {
	return func(t *testing.T, v *verified, _ *storage.Stored, _ *error) {
		e := cachetest.Rules().Present(time.Now(), cache.Copy{Expires: until})
		assert.NoError(t, v.cache.Memory.Put(t.Context(), v.target.Key, cache.AnyGeneration, e))
	}
}

// An entry from before cache.ttl was lowered has an unknown age.
func TestEntryOfALongerTTLIsVerified(t *testing.T) {
	v := newVerified(t)
	v.store(t)
	v.serve(v.put(t, cachetest.Rules().Present(time.Now().Add(10*time.Hour), cache.Copy{})))
	v.awaitHeads(t, 1)
}

// A dropped entry lets the next client request the copy.
func TestMissingCopyIsRequestedByTheNextClient(t *testing.T) {
	v := newVerified(t)
	v.serve(v.put(t, aged(time.Time{})))
	require.Eventually(t, func() bool { return v.missing(t) == 1 }, 5*time.Second, time.Millisecond)
	require.True(t, v.Await(t.Context(), v.target, "", flight.Wait{Until: time.Now()}).TimedOut)
	require.Len(t, v.queue.requests(), 1)
}

// Each case serves a copy that must not be verified, and then an aged one of another object, whose
// claim is the control: it is queued behind the first.
func TestServedCopyThatIsNotVerified(t *testing.T) {
	for name, tc := range map[string]struct {
		entry    cache.Entry
		claims   int64
		disabled bool
		// inRedis is set if redis still has the entry.
		inRedis bool
		last    func(*testing.T, *verified)
	}{
		"a new copy": {entry: cachetest.Rules().Present(time.Now(), cache.Copy{}), inRedis: true},
		"a new copy whose worker's clock is ahead": {
			entry: cachetest.Rules().Present(time.Now().Add(every/2), cache.Copy{}), inRedis: true,
		},
		"an entry that has gone":              {entry: aged(time.Time{}), claims: 1},
		"another front end has the claim":     {entry: aged(time.Time{}), claims: 1, inRedis: true, last: claimed},
		"redis is down":                       {entry: aged(time.Time{}), claims: 1, inRedis: true, last: down},
		"redis goes down after the claim":     {entry: aged(time.Time{}), claims: 1, inRedis: true, last: downAfterClaim},
		"it is disabled":                      {entry: aged(time.Time{}), inRedis: true, disabled: true},
		"it is served again before it is due": {entry: aged(time.Time{}), claims: 1, inRedis: true, last: servedBefore},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVerified(t, func(o *flight.Options) {
				if tc.disabled {
					o.VerifyEvery = 0
				}
			})
			if tc.inRedis {
				v.put(t, tc.entry)
			}
			heads := int64(0)
			if tc.last != nil {
				tc.last(t, v)
				heads = v.bucket.heads.Load()
			}
			for range 100 {
				v.serve(tc.entry)
			}
			control := flight.NewTarget(v.Pools()[0], source+"2")
			v.Served(control, aged(time.Time{}), time.Now())
			require.Eventually(t, func() bool {
				_, claimed := v.cache.claimed.Load(control.Key)
				return claimed || tc.disabled
			}, 5*time.Second, time.Millisecond)
			v.end()
			_, claimed := v.cache.claimed.Load(v.target.Key)
			require.Equal(t, tc.claims > 0, claimed)
			if !tc.disabled {
				require.Equal(t, tc.claims+1, v.cache.claims.Load())
			}
			require.Equal(t, heads, v.bucket.heads.Load())
			v.cache.Fail(nil)
			require.Equal(t, tc.inRedis && heads == 0, v.entry(t, v.target).State == cache.Present)
		})
	}
}

func claimed(t *testing.T, v *verified) {
	left, err := v.cache.Memory.Claim(t.Context(), v.target.Key, every)
	require.NoError(t, err)
	require.Zero(t, left)
}

func down(_ *testing.T, v *verified) { v.cache.Fail(errors.New("down")) }

func downAfterClaim(_ *testing.T, v *verified) { v.cache.FailAfter(1, errors.New("down")) }

func servedBefore(t *testing.T, v *verified) {
	v.serve(v.entry(t, v.target))
	v.awaitHeads(t, 1)
}

// A front end that loses the claim tries again as soon as that claim expires.
func TestLostClaimIsRetriedWhenItExpires(t *testing.T) {
	v := newVerified(t)
	v.store(t)
	e := v.put(t, aged(time.Time{}))
	const left = 200 * time.Millisecond
	start := time.Now()
	_, err := v.cache.Memory.Claim(t.Context(), v.target.Key, left)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		v.serve(e)
		return v.bucket.heads.Load() > 0
	}, 5*time.Second, time.Millisecond)
	require.GreaterOrEqual(t, time.Since(start), left)
	require.Less(t, v.cache.claims.Load(), int64(10), "it polls redis for the claim")
}

// While every HEAD hangs, Served returns at once and holds a bounded number of targets. A later hit
// offers a target again that found no room.
func TestServedNeverBlocks(t *testing.T) {
	free := make(chan struct{})
	v := newVerified(t)
	v.bucket.during = func(*storage.Stored, *error) { <-free }
	e := aged(time.Time{})
	targets := make([]*flight.Target, 2000)
	start := time.Now()
	for i := range targets {
		targets[i] = flight.NewTarget(v.Pools()[0], source+strconv.Itoa(i))
		if i < 2 { // One for each worker.
			require.NoError(t, v.cache.Memory.Put(t.Context(), targets[i].Key, 0, e))
		}
		v.Served(targets[i], e, time.Now())
	}
	require.Less(t, time.Since(start), 10*time.Second, "it waits for a HEAD")
	require.Eventually(t, func() bool { return v.cache.claims.Load() == 2 }, 5*time.Second, time.Millisecond)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for _, target := range targets[1000:] {
			v.Served(target, e, time.Now())
		}
	}))
	require.EqualValues(t, 2, v.cache.claims.Load(), "the workers do not hang")
	last := targets[len(targets)-1]
	close(free)
	require.Eventually(t, func() bool {
		v.Served(last, e, time.Now())
		_, claimed := v.cache.claimed.Load(last.Key)
		return claimed
	}, 5*time.Second, time.Millisecond, "a target that found no room is never verified")
}

// The HEADs of a pool are limited to 20 a second.
func TestVerificationIsPaced(t *testing.T) {
	v := newVerified(t)
	e := aged(time.Time{})
	start := time.Now()
	for i := range 30 {
		target := flight.NewTarget(v.Pools()[0], source+strconv.Itoa(i))
		require.NoError(t, v.cache.Memory.Put(t.Context(), target.Key, 0, e))
		v.Served(target, e, time.Now())
	}
	v.awaitHeads(t, 30)
	require.GreaterOrEqual(t, time.Since(start), 29*time.Second/20)
}
