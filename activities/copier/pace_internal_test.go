package copier

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

const mega = 1e6

// simulated is a source in a synctest bubble.
type simulated struct {
	shared, each float64       // The most bytes a second, of all connections and of each; 0 is no limit
	latency      time.Duration // Of a response
	// process is the most bytes a second that this process hashes of each part; 0 is no limit.
	process float64
	// hangs is the time at which the first part's connection hangs, for hangTime; 0 is never.
	hangs time.Duration

	begun time.Time
	mu    sync.Mutex
	due   time.Time // The next byte of the shared rate
	hung  bool
	opens atomic.Int64
	sent  atomic.Int64
}

const hangTime = 20 * time.Second

// connection is an open response.
type connection struct {
	source *simulated
	due    time.Time
}

func (s *simulated) open() *connection {
	s.opens.Add(1)
	<-time.After(s.latency)
	return &connection{source: s}
}

// Read returns what the source sends at once: 64 KiB, or all if it has no limit.
func (c *connection) Read(b []byte) (int, error) {
	s := c.source
	if s.shared+s.each > 0 {
		b = b[:min(len(b), 64<<10)]
	}
	takes := func(rate float64) time.Duration {
		if rate == 0 {
			return 0
		}
		return time.Duration(float64(len(b)) / rate * float64(time.Second))
	}
	s.mu.Lock()
	now := time.Now()
	hang := s.hangs > 0 && !s.hung && now.Sub(s.begun) >= s.hangs
	s.hung = s.hung || hang
	if hang {
		s.mu.Unlock()
		<-time.After(hangTime)
		s.mu.Lock()
		now = time.Now()
	}
	at := now
	if at.Before(s.due) {
		at = s.due
	}
	if at.Before(c.due) {
		at = c.due
	}
	s.due, c.due = at.Add(takes(s.shared)), at.Add(takes(s.each))
	at = at.Add(max(takes(s.shared), takes(s.each)))
	s.mu.Unlock()
	<-time.After(at.Sub(now))
	s.sent.Add(int64(len(b)))
	return len(b), nil
}

// copied describes a simulated copy.
type copied struct {
	took  time.Duration
	lost  int64 // The most bytes that a crash would have lost at any moment
	width width
	early int64 // Bytes that were stored within 10 s
}

// copy reads and stores an object as ranges do, with a bucket that takes some time for each part.
func (s *simulated) copy(t *testing.T, size, each int64, most int, store time.Duration) (out copied) {
	t.Helper()
	s.begun = time.Now()
	p := newPace(int64(most), each, size)
	ctx, end := context.WithCancel(t.Context())
	var judges, all sync.WaitGroup
	judges.Go(func() { p.run(ctx) })
	var stored atomic.Int64
	judges.Go(func() {
		for ctx.Err() == nil {
			out.lost = max(out.lost, s.sent.Load()-stored.Load())
			if time.Since(s.begun) <= 10*time.Second {
				out.early = stored.Load()
			}
			<-time.After(5 * time.Millisecond)
		}
	})
	turns := semaphore.NewWeighted(int64(most))
	for _, one := range parts(size, each) {
		paced, err := p.enter(ctx, one.n)
		require.NoError(t, err)
		require.NoError(t, turns.Acquire(ctx, 1))
		all.Go(func() {
			defer turns.Release(1)
			for left := one.n; left > 0; {
				if paced.resume(ctx) != nil {
					return
				}
				left = s.read(paced, left)
			}
			paced.done()
			<-time.After(store)
			stored.Add(one.n)
		})
	}
	all.Wait()
	out.took = time.Since(s.begun)
	end()
	judges.Wait()
	out.width = p.width
	return out
}

// read reads a part, and returns how many bytes are left when it is parked.
func (s *simulated) read(paced *pacedPart, left int64) int64 {
	start := time.Now()
	src := paced.reader(s.open())
	paced.opened(time.Since(start))
	buf := make([]byte, chunk)
	for left > 0 {
		n, err := src.Read(buf[:min(left, chunk)])
		if err != nil {
			return left
		}
		left -= int64(n)
		if s.process > 0 {
			<-time.After(time.Duration(float64(n) / s.process * float64(time.Second)))
		}
	}
	return 0
}

// TestPace copies 98 MB in parts of 8 MiB from sources of several kinds. A crash at any moment must
// cost at most two parts if the source shares a low rate among its connections. No other source may
// lose connections.
func TestPace(t *testing.T) {
	const size, each, most = 98_000_000, 8 * mib, 6
	const count = (size + each - 1) / each
	for name, tc := range map[string]struct {
		source *simulated
		rate   float64 // At least, in bytes a second
		few    bool    // A crash costs at most two parts
		opens  int64   // At most
		width  int     // 0 is any
	}{
		"20 MB/s together":                  {&simulated{shared: 20 * mega, latency: time.Millisecond}, 19 * mega, true, 2 * count, 1},
		"20 MB/s together, far away":        {&simulated{shared: 20 * mega, latency: 50 * time.Millisecond}, 18.5 * mega, true, 2 * count, 1},
		"40 MB/s together":                  {&simulated{shared: 40 * mega, latency: time.Millisecond}, 37 * mega, false, 2 * count, 1},
		"2 MB/s together":                   {&simulated{shared: 2 * mega, latency: time.Millisecond}, 1.9 * mega, true, 5 * count, 0},
		"3.3 MB/s on each connection":       {&simulated{each: 20 * mega / most, latency: time.Millisecond}, 0.93 * 20 * mega, false, 2 * count, most},
		"7 MB/s on each connection":         {&simulated{each: 7 * mega, latency: 10 * time.Millisecond}, 0.87 * 42 * mega, false, 2 * count, most},
		"25 MB/s on each connection":        {&simulated{each: 25 * mega, latency: 50 * time.Millisecond}, 100 * mega, false, count, most},
		"10 MB/s on each, 20 MB/s together": {&simulated{each: 10 * mega, shared: 20 * mega, latency: time.Millisecond}, 18.5 * mega, false, 2 * count, 2},
		"0.5 MB/s together":                 {&simulated{shared: mega / 2, latency: time.Millisecond}, 0.4 * mega, false, count, most},
		"this process hashes 5 MB/s a part": {&simulated{process: 5 * mega, latency: time.Millisecond}, 24 * mega, false, count, most},
		"no limit":                          {&simulated{latency: time.Millisecond}, 900 * mega, false, count, most},
		"20 MB/s, and a connection hangs":   {&simulated{shared: 20 * mega, latency: time.Millisecond, hangs: 2 * time.Second}, 3 * mega, false, 3 * count, 0},
		"20 MB/s, and the first one hangs":  {&simulated{shared: 20 * mega, latency: time.Millisecond, hangs: time.Millisecond}, 3 * mega, false, 3 * count, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := tc.source
				out := s.copy(t, size, each, most, 50*time.Millisecond)
				achieved := size / out.took.Seconds()
				t.Logf("%.1f MB/s, %d requests, a crash costs up to %.1f MB, width %d",
					achieved/mega, s.opens.Load(), float64(out.lost)/mega, out.width.now)
				require.GreaterOrEqual(t, achieved, tc.rate)
				require.EqualValues(t, size, s.sent.Load())
				require.LessOrEqual(t, s.opens.Load(), tc.opens)
				require.GreaterOrEqual(t, s.opens.Load(), int64(count))
				if tc.width > 0 {
					require.Equal(t, tc.width, out.width.now)
				}
				if tc.few {
					require.LessOrEqual(t, out.lost, int64(2*each))
				} else if s.shared == 0 && s.each > 0 {
					require.Greater(t, out.lost, int64(2*each), "control: all connections are kept")
				}
				if s.hangs > 0 {
					require.GreaterOrEqual(t, out.early, int64(size-each), "the parts of other connections")
				}
			})
		})
	}
}

// TestPaceEndsWithItsCopy waits for a turn to read, in vain.
func TestPaceEndsWithItsCopy(t *testing.T) {
	p := newPace(1, mib, 2*mib)
	first, err := p.enter(t.Context(), mib)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.enter(ctx, mib)
	require.ErrorIs(t, err, context.Canceled)
	first.done()
	first.done()
	second, err := p.enter(t.Context(), mib)
	require.NoError(t, err, "control")
	second.done()
}

// TestBufferContinues loads a part from two bodies.
func TestBufferContinues(t *testing.T) {
	r := &run{copier: &Copier{SpoolDir: t.TempDir()}, job: &Job{}}
	for _, memory := range []int64{64, 8} {
		t.Run(fmt.Sprint(memory), func(t *testing.T) {
			buf, err := r.newBuffer(t.Context(), NewMemory(memory), 10)
			require.NoError(t, err)
			defer buf.release()
			sent := []string{"01234", "", "56789"}
			for i, s := range sent {
				body, err := buf.load(&parking{s: s}, storage.ChecksumCRC64NVME, func(int) {})
				if i < len(sent)-1 {
					require.ErrorIs(t, err, errParked)
					continue
				}
				require.NoError(t, err)
				require.Equal(t, storage.ChecksumCRC64NVME.Body([]byte("0123456789")).Sum, body.Sum)
				got, err := io.ReadAll(body)
				require.NoError(t, err)
				require.Equal(t, "0123456789", string(got))
			}
		})
	}
}

// parking fails with errParked after its text.
type parking struct{ s string }

func (p *parking) Read(b []byte) (int, error) {
	if p.s == "" {
		return 0, errParked
	}
	n := copy(b, p.s)
	p.s = p.s[n:]
	return n, nil
}
