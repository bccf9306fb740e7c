package copier_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
)

// pace is a rate of sending.
type pace struct {
	rate float64 // Bytes a second
	mu   sync.Mutex
	due  time.Time
}

// wait reserves n bytes, and waits until they are due.
func (p *pace) wait(n int) {
	p.mu.Lock()
	now := time.Now()
	if credit := now.Add(-20 * time.Millisecond); p.due.Before(credit) {
		p.due = credit
	}
	p.due = p.due.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
	wait := p.due.Sub(now)
	p.mu.Unlock()
	if wait > 0 {
		<-time.After(wait)
	}
}

// slowly sends a body at a pace.
type slowly struct {
	http.ResponseWriter
	pace *pace
}

func (s slowly) Write(p []byte) (sent int, err error) {
	for sent < len(p) && err == nil {
		part := p[sent:min(len(p), sent+64<<10)]
		s.pace.wait(len(part))
		var n int
		n, err = s.ResponseWriter.Write(part)
		sent += n
	}
	return sent, err
}

// TestPartsOfASlowSourceAreContinued copies 30 MiB from a source of 5 MB/s. The copy gives up connections
// in the middle of parts, to see whether it needs them, and continues these parts later. No byte is lost
// or fetched twice, except a few on their way. TestPace checks how many parts are read at the same time,
// and `make bench-copy ARGS="-only kill"` how many bytes a crash costs.
func TestPartsOfASlowSourceAreContinued(t *testing.T) {
	t.Parallel()
	const count, rate, most = 6, 5e6, 6
	for name, tc := range map[string]struct{ together, digest bool }{
		"one rate for all connections":                {true, false},
		"one rate for all connections, with a digest": {true, true},
		"a rate for each connection":                  {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := inMemory(t, count*partSize)
			r.Parts, r.job.SHA256 = most, tc.digest
			shared := &pace{rate: rate}
			r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
				p := shared
				if !tc.together {
					p = &pace{rate: rate / most}
				}
				r.source.serveWhole(slowly{w, p}, req)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			// A busy machine hides the rate of the source, so it may take several copies.
			for n := 1; r.source.ranges.Load() <= int64((n-1)*count); n++ {
				job := r.another(n)
				out, err := r.Run(ctx, job)
				require.NoError(t, err)
				require.Equal(t, copier.WayRanges, out.Way)
				require.EqualValues(t, count*partSize, out.Fetched)
				body, ok := r.memory.Body(job.Spec(job.Meta).Key)
				require.True(t, ok)
				require.True(t, bytes.Equal(r.source.body, body), "stored bytes differ")
				require.LessOrEqual(t, r.source.sentBytes()-int64(n*count*partSize), int64(mib), "bytes on their way")
				if tc.digest {
					sum := sha256.Sum256(r.source.body)
					require.Equal(t, hex.EncodeToString(sum[:]), out.SHA256)
				}
			}
		})
	}
}
