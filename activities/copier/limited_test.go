package copier_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// limited is a source that serves a limited number of ranges at a time, and refuses further ones.
type limited struct {
	*source
	limit  int64
	status int
	// stops, if set, is the number of ranges after which it serves no more. Every plain GET is then
	// answered with the status plain.
	stops int64
	plain int

	active, served, refused atomic.Int64
	again                   chan struct{} // Closed by overlap
	overlap                 func()        // Requests do overlap
}

// limit makes the source of a fixture a limited one.
func (r *fixture) limit(l *limited) *limited {
	l.source, l.again = r.source, make(chan struct{})
	l.overlap = sync.OnceFunc(func() { close(l.again) })
	r.source.serve = l.serve
	r.Source = &repeating{Fetcher: r.origin, repeated: l.overlap, seen: map[int64]bool{}}
	return l
}

// repeating calls repeated when a range is requested again.
type repeating struct {
	copier.Fetcher
	repeated func()
	mu       sync.Mutex
	seen     map[int64]bool // By offset
}

func (f *repeating) GetRange(ctx context.Context, url string, want origin.Meta, off, n int64) (*origin.Body, error) {
	f.mu.Lock()
	if f.seen[off] {
		f.repeated()
	}
	f.seen[off] = true
	f.mu.Unlock()
	return f.Fetcher.GetRange(ctx, url, want, off, n)
}

func (l *limited) serve(w http.ResponseWriter, r *http.Request, _ int64) {
	if !isRange(r) {
		if l.plain != 0 {
			w.WriteHeader(l.plain)
			return
		}
		l.serveWhole(w, r)
		return
	}
	if l.active.Add(1) > l.limit || l.stops > 0 && l.served.Load() == l.stops {
		l.active.Add(-1)
		l.refused.Add(1)
		if l.status == 404 || l.status == 416 || l.status == 501 {
			l.overlap() // The copy tries again when it reads nothing else
		}
		w.WriteHeader(l.status)
		return
	}
	l.served.Add(1)
	select { // So that requests do overlap, and a refusal comes before the first range
	case <-l.again:
	case <-r.Context().Done():
	}
	first, last := bounds(r)
	var once sync.Once
	done := func() { once.Do(func() { l.active.Add(-1) }) }
	defer done()
	l.serveWhole(&finishing{w, int(last - first + 1), done}, r)
}

// finishing calls done just before it sends the last byte. The client's next request comes later.
type finishing struct {
	http.ResponseWriter
	left int
	done func()
}

func (f *finishing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left <= 0 {
		f.done()
	}
	return f.ResponseWriter.Write(p)
}

// TestSourceThatLimitsRequestsIsCopiedByRanges has a source that refuses ranges only because of
// other requests in flight.
func TestSourceThatLimitsRequestsIsCopiedByRanges(t *testing.T) {
	t.Parallel()
	const count = 7
	for limit := range int64(inFlight - 1) {
		for _, status := range []int{403, 429, 503, 404, 416, 501} {
			t.Run(fmt.Sprintf("%d at a time, %d", limit+1, status), func(t *testing.T) {
				t.Parallel()
				r := inMemory(t, count*partSize-1)
				l := r.limit(&limited{limit: limit + 1, status: status})
				out, err := r.attempt(t)
				require.NoError(t, err)
				r.requireExact(t)
				require.Equal(t, copier.WayRanges, out.Way)
				require.Empty(t, out.Restarted)
				require.Zero(t, r.source.plain())
				require.Positive(t, l.refused.Load())
				require.EqualValues(t, count, l.served.Load(), "a part was fetched twice")
				require.EqualValues(t, len(r.source.body), out.Fetched)
			})
		}
	}
}

// TestOverloadedSourceGetsTimeToRecover refuses one range, while no other request is in flight. A
// source that served ranges before, in this try or an earlier try, is asked again.
func TestOverloadedSourceGetsTimeToRecover(t *testing.T) {
	t.Parallel()
	const count = 4
	for name, tc := range map[string]struct {
		refused int64 // The number of the range
		resumed bool
		ways    string
	}{
		"the first range":               {1, false, copier.WayStream},
		"the third range":               {3, false, copier.WayRanges},
		"the first range after another": {1, true, copier.WayRanges},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := inMemory(t, count*partSize)
			r.Parts = 1
			if tc.resumed {
				r.memory.OnPart = func(number int32) error {
					if number == 2 {
						return errDown
					}
					return nil
				}
				_, err := r.attempt(t)
				require.ErrorIs(t, err, errDown)
				r.memory.OnPart = nil
				r.source.forget()
			}
			r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
				if isRange(req) && r.source.ranges.Load() == tc.refused {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				r.source.serveWhole(w, req)
			}
			out, err := r.attempt(t)
			require.NoError(t, err)
			r.requireExact(t)
			require.Equal(t, tc.ways, out.Way)
			require.Equal(t, tc.resumed, out.Resumed > 0)
		})
	}
}

// TestPartsStayWhileTheSourceRefusesEverything has a source that first limits requests, then refuses
// all ranges, and fails the plain GET as well.
func TestPartsStayWhileTheSourceRefusesEverything(t *testing.T) {
	t.Parallel()
	const count, stored = 5, 2
	for _, tc := range []struct{ ranges, plain int }{{403, 404}, {416, 503}, {429, 503}, {503, 404}, {501, 404}} {
		t.Run(fmt.Sprintf("ranges %d, GET %d", tc.ranges, tc.plain), func(t *testing.T) {
			t.Parallel()
			r := inMemory(t, count*partSize)
			r.limit(&limited{limit: 1, status: tc.ranges, stops: stored, plain: tc.plain})
			_, err := r.attempt(t)
			var failure *origin.Error
			require.ErrorAs(t, err, &failure)
			require.Equal(t, origin.ClassBadHTTPStatus, failure.Class)
			require.Equal(t, tc.plain, failure.Status)
			require.Equal(t, tc.plain == 404, failure.Permanent)
			require.EqualValues(t, 1, r.source.plain())
			r.requireAbsent(t)
			kept, err := r.memory.ListParts(t.Context(), storage.Upload{Key: r.key, ID: r.saved.Load().Upload})
			require.NoError(t, err)
			require.Len(t, kept, stored)

			r.source.change(func() { r.source.serve = nil })
			r.source.forget()
			out, err := r.attempt(t)
			require.NoError(t, err)
			r.requireExact(t)
			require.Equal(t, copier.WayRanges, out.Way)
			require.EqualValues(t, stored*partSize, out.Resumed)
			require.EqualValues(t, (count-stored)*partSize, out.Fetched)
			require.Zero(t, r.source.plain())
		})
	}
}
