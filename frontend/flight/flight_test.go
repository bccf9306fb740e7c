package flight_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

const source = "https://example.com/a/b.zip"

// queueDouble records requests, or fails.
type queueDouble struct {
	mu   sync.Mutex
	err  error
	sent []queue.Request
}

func (q *queueDouble) Send(_ context.Context, r queue.Request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.sent = append(q.sent, r)
	}
	return q.err
}

// fail makes later requests fail with err.
func (q *queueDouble) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = err
}

func (q *queueDouble) requests() []queue.Request {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]queue.Request(nil), q.sent...)
}

// fixture is a group with doubles around it.
type fixture struct {
	*flight.Group
	cache  *cachetest.Memory
	queue  *queueDouble
	bucket *storagetest.Memory
	target *flight.Target
}

// space is the key space of the fixture's bucket.
func space(pool string) cache.Space { return cache.NewSpace(cache.DefaultPrefix, pool, "", "bucket") }

func newFixture(t *testing.T, edit ...func(*flight.Options)) *fixture {
	t.Helper()
	f := &fixture{cache: &cachetest.Memory{}, queue: &queueDouble{}, bucket: &storagetest.Memory{}}
	log, registry := zerolog.New(zerolog.NewTestWriter(t)), prometheus.NewRegistry()
	o := flight.Options{
		Pools: []*flight.Pool{{Pool: storage.Pool{Service: "s3", Region: "us-west-2"}, Bucket: f.bucket, Space: space("s3_us-west-2")}},
		Cache: f.cache, Watcher: f.cache, Queue: f.queue, Sealer: sealer(t, 0), Rules: cachetest.Rules(), Owner: "test",
		MaxWaiters: 10, MaxWaitersPerObject: 10, MaxWaitersPerClient: 10,
		Breakers: flight.NewBreakers(registry, log), Log: log, Registry: registry,
	}
	for _, e := range edit {
		e(&o)
	}
	f.Group = flight.NewGroup(o)
	f.target = flight.NewTarget(f.Pools()[0], source)
	return f
}

func (f *fixture) entry(t *testing.T, target *flight.Target) cache.Entry {
	t.Helper()
	e, err := f.cache.Get(t.Context(), target.Key)
	require.NoError(t, err)
	return e
}

func (f *fixture) store(t *testing.T) {
	t.Helper()
	_, err := f.bucket.Put(t.Context(), storage.ObjectSpec{Key: f.target.Object.Key()}, f.bucket.Checksum().Body([]byte("x")))
	require.NoError(t, err)
}

func put(priority queue.Priority) queue.Request {
	return queue.Request{Pool: "s3_us-west-2", URL: source, Action: queue.Put, Priority: priority}
}

func TestWarm(t *testing.T) {
	down := errors.New("down")
	for name, tc := range map[string]struct {
		prepare  func(*testing.T, *fixture)
		redisErr error
		want     cache.State // of the result
		left     cache.State // in redis
		sent     []queue.Request
		heads    int
	}{
		"requests a copy at low priority": {
			want: cache.Pending, left: cache.Pending, sent: []queue.Request{put(queue.Low)}, heads: 1,
		},
		"finds a copy in the bucket": {
			prepare: func(t *testing.T, f *fixture) { f.store(t) },
			want:    cache.Present, left: cache.Present, heads: 1,
		},
		"leaves another front end's lease alone": {
			prepare: func(t *testing.T, f *fixture) {
				_, leased, err := f.cache.Acquire(t.Context(), f.target.Key, cachetest.Rules().Pending(time.Now(), "another", 0, -1))
				require.NoError(t, err)
				require.True(t, leased)
			},
			want: cache.Pending, left: cache.Pending,
		},
		"releases the lease if the queue fails": {
			prepare: func(_ *testing.T, f *fixture) { f.queue.err = down },
			want:    cache.Absent, left: cache.Absent, heads: 1,
		},
		"requests without a lease while redis is down": {
			redisErr: down, want: cache.Pending, left: cache.Absent, sent: []queue.Request{put(queue.Low)}, heads: 1,
		},
		"requests a copy while the bucket is down": {
			prepare: func(_ *testing.T, f *fixture) { f.bucket.Err = down },
			want:    cache.Pending, left: cache.Pending, sent: []queue.Request{put(queue.Low)}, heads: 1,
		},
		"looks for nothing while the group stops": {
			prepare: func(_ *testing.T, f *fixture) { f.Stop() },
			want:    cache.Absent, left: cache.Absent,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if tc.prepare != nil {
				tc.prepare(t, f)
			}
			e, err := f.Warm(t.Context(), f.target, tc.redisErr)
			require.Equal(t, tc.want, e.State)
			require.Equal(t, tc.want == cache.Absent, errors.Is(err, flight.ErrNotRequested), err)
			require.Equal(t, tc.sent, f.queue.requests())
			require.Equal(t, tc.left, f.entry(t, f.target).State)
			require.Equal(t, tc.heads, f.bucket.Heads)
		})
	}
}

func TestWarmRequestsNothingForAClientThatLeft(t *testing.T) {
	for name, rate := range map[string]int{"paced": 1, "without a limit": 0} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *flight.Options) { o.WarmRate = rate })
			ctx, leave := context.WithCancel(t.Context())
			leave()
			_, err := f.Warm(ctx, f.target, ctx.Err()) // Its read of redis was cancelled as well.
			require.ErrorIs(t, err, flight.ErrNotRequested)
			require.Empty(t, f.queue.requests())
			_, err = f.Warm(ctx, f.target, nil)
			require.ErrorIs(t, err, flight.ErrNotRequested)
			require.Empty(t, f.queue.requests())
			require.Equal(t, cache.Absent, f.entry(t, f.target).State)
		})
	}
}

// headSignal reports each HEAD on a channel.
type headSignal struct {
	*storagetest.Memory
	heads chan string
}

func (b headSignal) Head(ctx context.Context, key string) (storage.Stored, error) {
	b.heads <- key
	return b.Memory.Head(ctx, key)
}

// pacedFixture has a list with requests of ten objects, of which one is sent and nine wait for
// their turns, one second apart. Then the list requests the copy of f.target: failed receives its
// error.
func pacedFixture(t *testing.T) (f *fixture, leave func(), failed chan error) {
	t.Helper()
	heads := make(chan string, 100)
	f = newFixture(t, func(o *flight.Options) {
		o.WarmRate = 1
		o.Pools[0].Bucket = headSignal{&storagetest.Memory{}, heads}
	})
	ctx, leave := context.WithCancel(t.Context())
	var list sync.WaitGroup
	t.Cleanup(list.Wait)
	t.Cleanup(leave)
	for i := range 10 {
		list.Go(func() { _, _ = f.Warm(ctx, flight.NewTarget(f.Pools()[0], source+strconv.Itoa(i)), nil) })
		<-heads
	}
	failed = make(chan error, 1)
	list.Go(func() {
		_, err := f.Warm(ctx, f.target, nil)
		failed <- err
	})
	require.Equal(t, f.target.Object.Key(), <-heads)
	require.Eventually(t, func() bool { return f.entry(t, f.target).State == cache.Absent }, 5*time.Second,
		time.Millisecond, "the list holds the lease")
	return f, leave, failed
}

// A client does not wait behind the rate limit of lists.
func TestClientOvertakesAPacedList(t *testing.T) {
	f, _, _ := pacedFixture(t)
	start := time.Now()
	out := f.Await(t.Context(), f.target, "", flight.Wait{Until: start})
	require.True(t, out.TimedOut)
	require.Contains(t, f.queue.requests(), put(""), "the client's request waits for the list's turn")
	require.Less(t, time.Since(start), 5*time.Second)
}

// A list holds no lease while it waits for its turn: a process that ends then would leave the lease
// without a message.
func TestPacedListHoldsNoLease(t *testing.T) {
	for name, end := range map[string]func(f *fixture, leave func()){
		"the client leaves": func(_ *fixture, leave func()) { leave() },
		"the group stops":   func(f *fixture, _ func()) { f.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			f, leave, failed := pacedFixture(t)
			start := time.Now()
			end(f, leave)
			require.ErrorIs(t, <-failed, flight.ErrNotRequested)
			require.Less(t, time.Since(start), 5*time.Second, "the list waits for its turn")
			require.Equal(t, cache.Absent, f.entry(t, f.target).State)
			require.NotContains(t, f.queue.requests(), put(queue.Low))
		})
	}
}

// lostReplies loses the replies to Acquire that report a new lease.
type lostReplies struct{ *cachetest.Memory }

func (c lostReplies) Acquire(ctx context.Context, key string, mine cache.Entry) (cache.Entry, bool, error) {
	entry, leased, err := c.Memory.Acquire(ctx, key, mine)
	if leased {
		return cache.Entry{}, false, errors.New("timeout")
	}
	return entry, leased, err
}

// A paced list that doesn't know its own lease sends the message nevertheless.
func TestPacedListSendsAfterALostReply(t *testing.T) {
	f := newFixture(t, func(o *flight.Options) {
		o.WarmRate, o.Cache = 1, lostReplies{o.Cache.(*cachetest.Memory)}
	})
	_, err := f.Warm(t.Context(), flight.NewTarget(f.Pools()[0], source+"2"), nil) // Takes the first turn.
	require.NoError(t, err)
	e, err := f.Warm(t.Context(), f.target, nil)
	require.NoError(t, err)
	require.Equal(t, cache.Pending, e.State)
	require.Contains(t, f.queue.requests(), put(queue.Low))
}

// A list waits for its turns for as long as it takes, a lease's length or more.
func TestPacedListRequestsEveryCopy(t *testing.T) {
	f := newFixture(t, func(o *flight.Options) { o.WarmRate, o.Rules.Lease = 10, time.Second })
	failed := make(chan error, 16)
	for i := range cap(failed) {
		go func() {
			_, err := f.Warm(t.Context(), flight.NewTarget(f.Pools()[0], source+strconv.Itoa(i)), nil)
			failed <- err
		}()
	}
	for range cap(failed) {
		require.NoError(t, <-failed)
	}
	require.Len(t, f.queue.requests(), cap(failed))
}

func TestAwait(t *testing.T) {
	present := cachetest.Rules().Present(time.Now(), cache.Copy{})
	for name, tc := range map[string]struct {
		prepare func(*testing.T, *fixture)
		wait    time.Duration
		want    flight.Outcome
		sent    []queue.Request
	}{
		"a final entry ends the wait at the first look": {
			prepare: func(t *testing.T, f *fixture) {
				require.NoError(t, f.cache.Put(t.Context(), f.target.Key, 0, present))
			},
			wait: time.Minute,
			want: flight.Outcome{Entry: present, FirstLook: true},
		},
		"a client that does not wait is held until its copy is requested": {
			want: flight.Outcome{Entry: cache.Entry{State: cache.Pending}, TimedOut: true},
			sent: []queue.Request{put("")},
		},
		"a failed request ends the wait": {
			prepare: func(_ *testing.T, f *fixture) { f.queue.err = errors.New("down") },
			wait:    time.Minute,
			want:    flight.Outcome{Entry: cache.Entry{State: cache.Pending}, QueueDown: true, FirstLook: true},
		},
		"a stopping group ends the wait": {
			prepare: func(_ *testing.T, f *fixture) { f.Stop() },
			wait:    time.Minute,
			want:    flight.Outcome{Entry: cache.Entry{State: cache.Pending}, Stopping: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if tc.prepare != nil {
				tc.prepare(t, f)
			}
			out := f.Await(t.Context(), f.target, "", flight.Wait{Until: time.Now().Add(tc.wait)})
			f.Drain()
			out.Entry = cache.Entry{State: out.Entry.State}
			tc.want.Entry = cache.Entry{State: tc.want.Entry.State}
			if out.Stopping { // The flight may have ended first.
				out.FirstLook, out.QueueDown = false, false
			} else {
				require.Equal(t, tc.sent, f.queue.requests())
			}
			require.Equal(t, tc.want, out)
		})
	}
}

// TestClock has a clock that is ahead. The lease, the wait and the cold rates follow it.
func TestClock(t *testing.T) {
	now := time.Now().Add(time.Hour)
	f := newFixture(t, func(o *flight.Options) {
		o.Now = func() time.Time { return now }
		o.ColdRate, o.ColdBurst = 1, 1
	})
	until := now.Add(-time.Minute)
	require.True(t, f.Await(t.Context(), f.target, "", flight.Wait{Until: until, Client: address(1)}).TimedOut)
	require.WithinDuration(t, now.Add(cachetest.Rules().Lease), f.entry(t, f.target).Deadline, 0)
	refused := f.Await(t.Context(), flight.NewTarget(f.Pools()[0], source+"2"), "", flight.Wait{Until: until, Client: address(1), Cold: true}).Refused
	require.Equal(t, &flight.LimitError{Limit: flight.LimitClient, RetryAfter: time.Second}, refused)
}

func TestAwaitTurnsAwayTooManyWaiters(t *testing.T) {
	f := newFixture(t, func(o *flight.Options) { o.MaxWaiters = 1 })
	ctx, leave := context.WithCancel(t.Context())
	waiting := make(chan flight.Outcome)
	go func() { waiting <- f.Await(ctx, f.target, "", flight.Wait{Until: time.Now().Add(time.Minute)}) }()
	require.Eventually(t, func() bool { return f.cache.Waiting(f.target.Key) == 1 }, 5*time.Second, time.Millisecond)
	other := flight.NewTarget(f.Pools()[0], source+"2")
	refused := f.Await(t.Context(), other, "", flight.Wait{Until: time.Now().Add(time.Minute)}).Refused
	require.Equal(t, &flight.LimitError{Limit: flight.LimitWaiters, RetryAfter: time.Second}, refused)
	leave()
	require.True(t, (<-waiting).Gone)
	require.True(t, f.Await(t.Context(), other, "", flight.Wait{Until: time.Now()}).TimedOut, "the client that left made room")
}

// TestNoClientWaitsInVain lets a copy fail while two clients wait. The next try is after the end of
// the first one's wait, and before the end of the other's.
func TestNoClientWaitsInVain(t *testing.T) {
	f := newFixture(t)
	start := time.Now()
	await := func(w flight.Wait) <-chan flight.Outcome {
		ended := make(chan flight.Outcome, 1)
		go func() { ended <- f.Await(t.Context(), f.target, "", w) }()
		return ended
	}
	short, chained := await(flight.Wait{Until: start.Add(20 * time.Second)}), await(flight.Wait{
		Until: start.Add(20 * time.Second), Chain: time.Hour,
	})
	require.Eventually(t, func() bool { return f.entry(t, f.target).State == cache.Pending }, 5*time.Second, time.Millisecond)
	failed := cachetest.Rules().Transient(start, 1, cache.Reason{Class: "SourceUnreachable"}) // For 30 s at least
	require.NoError(t, f.cache.Put(t.Context(), f.target.Key, 0, failed))
	out := <-short
	require.True(t, out.InVain)
	require.Equal(t, failed.Class, out.Entry.Class)
	require.Less(t, time.Since(start), 10*time.Second)

	out = f.Await(t.Context(), f.target, "", flight.Wait{Until: start.Add(20 * time.Second)})
	require.True(t, out.InVain, "a client that joins during the back-off")
	require.Less(t, time.Since(start), 10*time.Second)

	select {
	case out := <-chained:
		require.Fail(t, "a client that waits for the next try was sent away", "%+v", out)
	default:
	}
	present := cachetest.Rules().Present(time.Now(), cache.Copy{})
	require.NoError(t, f.cache.Put(t.Context(), f.target.Key, 0, present))
	require.Equal(t, cache.Present, (<-chained).Entry.State)
}
