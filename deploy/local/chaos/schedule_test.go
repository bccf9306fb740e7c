package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSameSeedSameSchedule(t *testing.T) {
	text := func(seed uint64) string {
		var b bytes.Buffer
		printSchedule(&b, schedule(seed, 10*time.Minute, frontEnds))
		return b.String()
	}
	first := text(7)
	require.Equal(t, first, text(7))
	require.NotEqual(t, text(7), text(8))
}

// TestSchedule has single faults and then pairs, which all end before the run does.
func TestSchedule(t *testing.T) {
	for _, length := range []time.Duration{30 * time.Second, 2 * time.Minute, 30 * time.Minute} {
		for seed := range uint64(20) {
			injected, end := map[fault]int{}, time.Duration(0)
			steps := schedule(seed, length, frontEnds)
			require.NotEmpty(t, steps)
			for _, s := range steps {
				require.Greater(t, s.At, end, "a step begins after the step before")
				end = s.At + s.For
				require.LessOrEqual(t, end, length-undisturbedEnd)
				if s.At <= length/2 {
					require.Len(t, s.Faults, 1)
				} else {
					require.Len(t, s.Faults, 2)
					require.NotEqual(t, s.Faults[0].Target, s.Faults[1].Target)
				}
				for _, f := range s.Faults {
					injected[f]++
				}
			}
			if length == 30*time.Minute {
				for _, f := range allFaults(frontEnds) {
					require.Positive(t, injected[f], "seed %d: %s", seed, f)
				}
			}
		}
	}
}

func TestSameSeedSameObjects(t *testing.T) {
	a, b := newObjects(7), newObjects(7)
	sizes := map[int64]bool{}
	for i := range a {
		require.Equal(t, [3]any{a[i].path, a[i].size, a[i].signed}, [3]any{b[i].path, b[i].size, b[i].signed})
		sizes[a[i].size] = true
	}
	require.True(t, sizes[0], "an empty object")
	require.Greater(t, len(sizes), objectCount/2)
}

// TestOrigin reads an object whole and by ranges, and again after it has changed.
func TestOrigin(t *testing.T) {
	o := &object{path: "/files/a", signed: true, seed: 7, size: 3*block + 17}
	var bodies atomic.Int64
	server := httptest.NewServer(newOrigin([]*object{o}, "127.0.0.1:1", &bodies))
	defer server.Close()
	get := func(uri, ranges string) (int, []byte) {
		req, err := http.NewRequest(http.MethodGet, server.URL+uri, nil)
		require.NoError(t, err)
		if ranges != "" {
			req.Header.Set("Range", "bytes="+ranges)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, body
	}
	_, want := o.current()
	status, body := get(o.requestURI(), "")
	require.Equal(t, 200, status)
	require.Equal(t, bodyMarker, string(body[block:block+len(bodyMarker)]))
	require.EqualValues(t, 1, bodies.Load())
	sum := sha256.Sum256(body)
	require.Equal(t, want, hex.EncodeToString(sum[:]))
	_, part := get(o.requestURI(), "40000-70000")
	require.Equal(t, body[40000:70001], part)

	require.Equal(t, want, o.change())
	_, changed := get(o.requestURI(), "")
	require.Len(t, changed, len(body))
	require.NotEqual(t, body, changed)
	status, _ = get(o.path, "")
	require.Equal(t, 404, status, "without its signature")
}
