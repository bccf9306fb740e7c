package origin

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// seedOf returns the seed of a random test, which TEST_SEED sets.
func seedOf(t *testing.T) uint64 {
	seed := rand.Uint64()
	if s := os.Getenv("TEST_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("TEST_SEED=%d", seed)
	return seed
}

// TestConnsAgainstAModel takes random steps, and compares the admissions with those of a plain queue.
func TestConnsAgainstAModel(t *testing.T) {
	seed := seedOf(t)
	for round := range uint64(40) {
		inBubble(t, func(t *testing.T) { compareWithModel(t, rand.New(rand.NewPCG(seed, round))) })
	}
}

func compareWithModel(t *testing.T, random *rand.Rand) {
	most := 1 + random.IntN(9)
	c := newConns(most)
	limit, served := most, 0        // The model's
	var in, queue []*caller         // In flight and waiting, the first in the order of their calls
	wave := map[*caller]int{}       // The number of drops at admission
	with := map[*caller]int{}       // How many were in flight with it at its admission
	var drops int                   // So far
	refused := time.Now()           // The last refusal
	alone := map[*caller]struct{}{} // No other request was in flight at any time
	enter := func() {
		for len(in) < limit && len(queue) > 0 {
			r := queue[0]
			queue = queue[1:]
			clear(alone)
			if len(in) == 0 {
				alone[r] = struct{}{}
			}
			wave[r] = drops
			in = append(in, r)
			with[r] = len(in)
		}
	}
	for range 300 {
		switch step := random.IntN(10); {
		case step < 4:
			if limit < most && time.Since(refused) > forgetAfter {
				limit = most
			}
			r := call(t, c, host, bulk)
			queue = append(queue, r)
		case step == 4 && len(queue) > 0:
			i := random.IntN(len(queue))
			r := queue[i]
			queue = slices.Delete(queue, i, i+1)
			r.cancel()
			synctest.Wait()
			require.ErrorIs(t, r.err, context.Canceled)
		case step == 5 && len(in) > 0:
			r := in[random.IntN(len(in))]
			_, lonely := alone[r]
			require.Equal(t, !lonely, r.slot.refused())
			if !lonely && wave[r] == drops {
				limit = max(1, min(limit, max(with[r], len(in)))/2)
				drops++
			}
			served, refused = 0, time.Now()
		case step == 6 && len(in) > 0:
			for range random.IntN(3 * growAfter) {
				in[0].slot.served()
				if served++; limit < most && len(queue) > 0 && served >= growAfter*limit {
					limit++
					served = 0
					enter()
				}
			}
		case step == 7:
			pass(time.Duration(random.Int64N(int64(forgetAfter))))
		case len(in) > 0:
			i := random.IntN(len(in))
			in[i].slot.release()
			in = slices.Delete(in, i, i+1)
		}
		enter()
		synctest.Wait()
		if len(in)+len(queue) == 0 && limit == most {
			served = 0 // The gate is forgotten, or keeps a count that does not matter
			require.Empty(t, c.gates)
			continue
		}
		g := c.gates[gateKey{host, bulk}]
		require.Equal(t, []int{limit, len(in), len(queue)}, []int{g.limit, g.inFlight, len(g.waiting)})
		for _, r := range in {
			require.True(t, r.done)
			require.NoError(t, r.err)
		}
		for _, r := range queue {
			require.False(t, r.done)
		}
	}
	release(in)
	for _, r := range queue {
		r.cancel()
	}
	synctest.Wait()
	for _, r := range queue {
		r.slot.release() // If it was admitted first
	}
	requireIdle(t, c)
}

// load has 32 goroutines acquire slots of c, use them and release them at once, with cancellations.
// Unless limits grow, a request that is admitted must find fewer in flight than the limit had at its
// call. A limit that has fallen since is only stricter.
func load(t *testing.T, c *conns, seed uint64, grows bool, use func(random *rand.Rand, s *slot)) {
	t.Helper()
	limit := func() int {
		if grows {
			return c.most
		}
		return c.limit()
	}
	var inFlight, cancelled, served atomic.Int64
	var workers sync.WaitGroup
	for worker := range uint64(32) {
		random := rand.New(rand.NewPCG(seed, worker))
		workers.Go(func() {
			for range 100 {
				ctx, cancel := context.WithCancel(t.Context())
				if random.IntN(3) == 0 {
					go cancel()
				}
				atCall := limit()
				s, err := c.acquire(ctx, host, bulk)
				if err == nil {
					assert.LessOrEqual(t, int(inFlight.Add(1)), atCall)
					served.Add(1)
					use(random, s)
					inFlight.Add(-1)
					s.release()
					s.release()
				} else {
					assert.Equal(t, context.Canceled, err)
					cancelled.Add(1)
				}
				cancel()
			}
		})
	}
	workers.Wait()
	requireIdle(t, c)
	t.Logf("%d requests had a slot, %d were cancelled", served.Load(), cancelled.Load())
	require.Positive(t, served.Load())
}

func TestConnsUnderLoad(t *testing.T) {
	seed := seedOf(t)
	lowered := func(t *testing.T, c *conns, limit int) {
		for c.limit() > limit {
			wave := make([]*slot, c.limit())
			for i := range wave {
				var err error
				wave[i], err = c.acquire(t.Context(), host, bulk)
				require.NoError(t, err)
			}
			for _, s := range wave {
				require.True(t, s.refused())
			}
			for _, s := range wave {
				s.release()
			}
		}
	}
	for _, limit := range []int{16, 8, 4, 2, 1} {
		t.Run(fmt.Sprint("a fixed limit of ", limit), func(t *testing.T) {
			c := newConns(16)
			lowered(t, c, limit)
			load(t, c, seed, false, func(*rand.Rand, *slot) {})
			require.Equal(t, limit, c.limit())
			var all []*slot // The limit can still be used to the full
			for range limit {
				s, err := c.acquire(t.Context(), host, bulk)
				require.NoError(t, err)
				all = append(all, s)
			}
			for _, s := range all {
				s.release()
			}
		})
	}
	for round := range uint64(10) {
		t.Run(fmt.Sprint("refusals, ", round), func(t *testing.T) {
			c := newConns(16)
			load(t, c, seed+round, false, func(random *rand.Rand, s *slot) {
				if random.IntN(200) == 0 {
					s.refused()
				}
			})
		})
		t.Run(fmt.Sprint("refusals and growth, ", round), func(t *testing.T) {
			load(t, newConns(16), seed+round, true, func(random *rand.Rand, s *slot) {
				if random.IntN(50) == 0 {
					s.refused()
				} else {
					s.served()
				}
			})
		})
	}
}

// limit returns the limit of bulk requests to host.
func (c *conns) limit() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.gates[gateKey{host, bulk}]; g != nil {
		return g.limit
	}
	return c.most
}
