package copier_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// TestMinimumSize copies objects of exactly the minimum, and not those of one byte less.
func TestMinimumSize(t *testing.T) {
	for name, tc := range map[string]struct {
		size              int
		chunked, unframed bool
	}{
		"one byte":                    {size: 1},
		"small":                       {size: 1000},
		"the largest small one":       {size: copier.Small},
		"large":                       {size: copier.Small + 1},
		"one byte, in chunks":         {size: 1, chunked: true},
		"small, in chunks":            {size: 1000, chunked: true},
		"the first buffer, in chunks": {size: mib - 1, chunked: true},
		"small, unframed and allowed": {size: 1000, unframed: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := inMemory(t, tc.size)
			r.source.change(func() { r.source.chunked = tc.chunked })
			if tc.unframed {
				r.AllowUnverified = true
				r.source.serve = func(w http.ResponseWriter, _ *http.Request, _ int64) { r.source.serveUnframed(w) }
			}
			r.job.First, r.job.MinSize = true, int64(tc.size)+1
			out, err := r.run(t.Context())
			require.NoError(t, err)
			require.NotNil(t, out.TooSmall)
			require.EqualValues(t, tc.size, *out.TooSmall)
			require.Equal(t, copier.Result{TooSmall: out.TooSmall, Fetched: out.Fetched}, out)
			require.EqualValues(t, 1, r.source.gets.Load())
			if !tc.chunked && !tc.unframed {
				require.Zero(t, out.Fetched)
			}
			r.requireNothing(t)

			r.job.MinSize = int64(tc.size)
			out, err = r.attempt(t)
			require.NoError(t, err)
			require.Nil(t, out.TooSmall)
			r.requireExact(t)
		})
	}
}

// TestMinimumOfAnUndeclaredLength copies an object that does not fit the first buffer: its size is
// unknown when the first request ends.
func TestMinimumOfAnUndeclaredLength(t *testing.T) {
	r := inMemory(t, mib)
	r.source.change(func() { r.source.chunked = true })
	r.job.First, r.job.MinSize = true, 1<<30
	out, err := r.attempt(t)
	require.NoError(t, err)
	require.Nil(t, out.TooSmall)
	r.requireExact(t)
}

// TestMinimumReadsNoBody has a source that sends only the head of its response.
func TestMinimumReadsNoBody(t *testing.T) {
	r := inMemory(t, 1)
	r.job.MinSize = 1001
	left := make(chan struct{})
	r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
		w.Header().Set("Content-Length", "1000")
		_ = http.NewResponseController(w).Flush()
		<-req.Context().Done()
		close(left)
	}
	out, err := r.run(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1000, *out.TooSmall)
	<-left // The copier closed the connection
}

// TestMinimumCountsStoredBytes has a source with a content coding, whose bytes are stored as they
// are.
func TestMinimumCountsStoredBytes(t *testing.T) {
	var coded bytes.Buffer
	w := gzip.NewWriter(&coded)
	_, err := w.Write(make([]byte, 100_000))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	for _, chunked := range []bool{false, true} {
		t.Run("in chunks: "+strconv.FormatBool(chunked), func(t *testing.T) {
			r := inMemory(t, 0)
			r.source.change(func() {
				r.source.body, r.source.chunked = coded.Bytes(), chunked
				r.source.header = func(h http.Header) { h.Set("Content-Encoding", "gzip") }
			})
			r.job.First, r.job.MinSize = true, int64(coded.Len())+1
			out, err := r.run(t.Context())
			require.NoError(t, err)
			require.NotNil(t, out.TooSmall)
			require.EqualValues(t, coded.Len(), *out.TooSmall)
			r.requireNothing(t)

			r.job.MinSize--
			_, err = r.run(t.Context())
			require.NoError(t, err)
			r.requireExact(t)
		})
	}
}

// TestMinimumIsAskedBeforeTheServer has an object in an S3 that the bucket's server can read.
func TestMinimumIsAskedBeforeTheServer(t *testing.T) {
	for minSize, small := range map[int64]bool{2001: true, 2000: false} {
		r := inMemory(t, 2000)
		copies := 0
		r.job.MinSize = minSize
		r.job.Server = func(m origin.Meta) *storage.CopySource {
			return &storage.CopySource{Bucket: "other", Key: "object", ETag: m.ETag, Size: m.Size}
		}
		r.memory.OnCopy = func(context.Context, storage.ObjectSpec, storage.CopySource, func(int64)) ([]byte, error) {
			copies++
			return r.source.body, nil
		}
		out, err := r.run(t.Context())
		require.NoError(t, err)
		require.Equal(t, small, out.TooSmall != nil)
		if small {
			require.Zero(t, copies)
			r.requireNothing(t)
			continue
		}
		require.Equal(t, 1, copies, "control")
		r.requireExact(t)
	}
}

// TestBrokenSmallObjectIsNotTooSmall has a body that ends early. It says nothing about the size.
func TestBrokenSmallObjectIsNotTooSmall(t *testing.T) {
	r := inMemory(t, 1000)
	r.source.change(func() { r.source.chunked = true })
	r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
		r.source.serveWhole(&breaking{ResponseWriter: w, left: 500}, req)
	}
	r.job.First, r.job.MinSize = true, 1000
	out, err := r.run(t.Context())
	require.Error(t, err)
	require.Nil(t, out.TooSmall)
	r.requireNothing(t)
}
