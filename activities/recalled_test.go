package activities_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// hangs serves a large object and hangs after some bytes. It calls hung for each request that hangs.
func (a *attempts) hangs(after int64, hung func()) {
	a.origin.get = func(w http.ResponseWriter, r *http.Request) {
		first, last, total := int64(0), a.in.Meta.Size-1, a.in.Meta.Size
		w.Header().Set("Etag", a.in.Meta.ETag)
		status := http.StatusOK
		if spec := r.Header.Get("Range"); spec != "" {
			spec = strings.TrimPrefix(spec, "bytes=")
			from, to, _ := strings.Cut(spec, "-")
			first, _ = strconv.ParseInt(from, 10, 64)
			last, _ = strconv.ParseInt(to, 10, 64)
			status = http.StatusPartialContent
			w.Header().Set("Content-Range", "bytes "+spec+"/"+strconv.FormatInt(total, 10))
		}
		w.Header().Set("Content-Length", strconv.FormatInt(last-first+1, 10))
		w.WriteHeader(status)
		_, _ = w.Write(make([]byte, min(max(after-first, 0), last-first+1)))
		_ = http.NewResponseController(w).Flush()
		if after <= last {
			hung()
			<-r.Context().Done()
		}
	}
}

// TestRecallThatLosesBytesIsAnAttempt has another host ask for the slot of a copy, in every attempt. A
// copy that loses its fetched bytes may do so as often as it may fail. Other copies wait on.
func TestRecallThatLosesBytesIsAnAttempt(t *testing.T) {
	for name, tc := range map[string]struct {
		ranges bool
		after  int64 // Bytes until the source hangs
		free   bool  // The recall is no attempt
	}{
		"one stream":                  {false, storage.MinPartSize + 1, false},
		"one stream, nothing fetched": {false, 0, true},
		"parts":                       {true, storage.MinPartSize, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAttempts(t)
			a.in, a.Copier.Parts = a.input(), 1
			a.in.Meta.Size = 20 * storage.MinPartSize
			if !tc.ranges {
				a.in.Meta.AcceptRanges = false
			}
			number := a.number(t.Context())
			for n := int32(1); n <= activities.MaxAttempts; n++ {
				slots := copier.NewBudget(2, 0.5)
				a.Copier.LargeSlots = slots
				claim := copier.Claim{Host: a.origin.served.Listener.Addr().String(), Since: time.Now()}
				_, err := slots.Take(t.Context(), claim, 1) // So that the copy is beyond the share of its host
				require.NoError(t, err)
				ready := make(chan struct{})
				begin := sync.OnceFunc(func() { close(ready) })
				after := tc.after
				if tc.ranges {
					after *= int64(n) // A part more in each attempt
				}
				a.hangs(after, begin)
				if !tc.ranges && tc.after > 0 {
					a.hangs(after, func() {})
					a.bucket.OnPart = func(int32) error { begin(); return nil } // The copy has fetched it
				}
				var other sync.WaitGroup
				other.Go(func() {
					<-ready
					_, _ = slots.Take(t.Context(), copier.Claim{Host: "other.example"}, 1)
				})
				number.attempt = n
				f, final, _ := a.run(t)
				other.Wait()
				require.Equal(t, activities.ClassTurn, f.Class)
				require.Contains(t, f.Text, "another source needs what this copy holds")
				require.False(t, f.Permanent)
				last := n == activities.MaxAttempts && !tc.free
				require.Equal(t, last, final, "attempt %d", n)
				require.Equal(t, last, f.Exhausted)
				if tc.free {
					require.Equal(t, n, a.last.Free)
				} else {
					require.Zero(t, a.last.Free)
				}
			}
		})
	}
}
