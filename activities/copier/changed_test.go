package copier_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// version is one version of an object.
type version struct {
	body []byte
	etag string
}

// versions returns random versions of the given sizes. Their ETags are their numbers, from 1.
func versions(sizes ...int) []version {
	var all []version
	for i, size := range sizes {
		v := version{make([]byte, size), strconv.Quote(strconv.Itoa(i + 1))}
		_, _ = rand.Read(v.body)
		all = append(all, v)
	}
	return all
}

// serveChosen makes the source serve the version that choose returns for each request, by its kind
// and its number of that kind, from 1.
func (r *fixture) serveChosen(choose func(isRange bool, n int64) version) {
	var plain, ranges atomic.Int64
	r.source.change(func() {
		r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
			count := &plain
			if isRange(req) {
				count = &ranges
			}
			v := choose(isRange(req), count.Add(1))
			r.source.serveVersion(w, req, v.body, v.etag)
		}
	})
}

// describedAs has the first request describe a version.
func (r *fixture) describedAs(v version) {
	r.job.Meta.Size, r.job.Meta.ETag, r.job.First = int64(len(v.body)), v.etag, false
}

// requireVersion checks that the object is one version, described as such.
func (r *fixture) requireVersion(t *testing.T, want version) {
	t.Helper()
	require.True(t, bytes.Equal(want.body, r.body(t)), "stored bytes differ")
	require.Zero(t, r.open(t))
	spec, ok := r.memory.Spec(r.key)
	require.True(t, ok)
	require.Equal(t, want.etag, spec.Metadata[metadataETag])
}

// TestChangedSourceRestartsByRanges changes the object after its description.
func TestChangedSourceRestartsByRanges(t *testing.T) {
	for name, tc := range map[string]struct {
		size int
		good int64 // Ranges of the old version
	}{
		"before the ranges":                      {5 * partSize, 0},
		"before the ranges, to another size":     {3*partSize + 1, 0},
		"between the ranges":                     {5 * partSize, 2},
		"between the ranges, to a larger object": {6*partSize + 1, 2},
		"at the last range":                      {5 * partSize, 4},
	} {
		t.Run(name, func(t *testing.T) {
			r := inMemory(t, 5*partSize)
			v := versions(5*partSize, tc.size)
			r.describedAs(v[0])
			r.serveChosen(func(isRange bool, n int64) version {
				if isRange && n <= tc.good {
					return v[0]
				}
				return v[1]
			})
			out, err := r.attempt(t)
			require.NoError(t, err)
			r.requireVersion(t, v[1])
			require.Equal(t, copier.WayRanges, out.Way)
			require.Equal(t, "the source changed", out.Restarted)
			require.Zero(t, out.Resumed)
			require.EqualValues(t, 1, r.source.plain())
		})
	}
}

// TestSourceThatChangesAgainIsAStream changes the object before the first ranges, and again before
// the next ranges.
func TestSourceThatChangesAgainIsAStream(t *testing.T) {
	r := inMemory(t, 4*partSize)
	v := versions(4*partSize, 4*partSize, 4*partSize)
	r.describedAs(v[0])
	r.serveChosen(func(isRange bool, n int64) version {
		if !isRange && n == 1 {
			return v[1]
		}
		return v[2]
	})
	out, err := r.attempt(t)
	require.NoError(t, err)
	r.requireVersion(t, v[2])
	require.Equal(t, copier.WayStream, out.Way)
	require.Contains(t, out.Restarted, "another etag")
	require.EqualValues(t, 2, r.source.plain())
}

// TestChangeToAnObjectWithoutRanges changes the object to one that can only be a stream.
func TestChangeToAnObjectWithoutRanges(t *testing.T) {
	for name, etag := range map[string]string{"weak etag": `W/"2"`, "no etag": ""} {
		t.Run(name, func(t *testing.T) {
			r := inMemory(t, 4*partSize)
			v := versions(4*partSize, 4*partSize)
			v[1].etag = etag
			r.describedAs(v[0])
			r.serveChosen(func(bool, int64) version { return v[1] })
			out, err := r.attempt(t)
			require.NoError(t, err)
			r.requireVersion(t, v[1])
			require.Equal(t, copier.WayStream, out.Way)
			require.EqualValues(t, 1, r.source.plain(), "the stream was opened twice")
		})
	}
}

// TestETagOfEachEdge has a source with several edges. They serve equal bytes with different ETags.
func TestETagOfEachEdge(t *testing.T) {
	for edges := int64(2); edges <= 3; edges++ {
		t.Run(fmt.Sprintf("%d edges", edges), func(t *testing.T) {
			r := inMemory(t, 4*partSize)
			var n atomic.Int64
			var last atomic.Pointer[string]
			r.source.serve = func(w http.ResponseWriter, req *http.Request, _ int64) {
				etag := strconv.Quote(strconv.FormatInt(n.Add(1)%edges, 10))
				if !isRange(req) {
					last.Store(&etag)
				}
				r.source.serveVersion(w, req, r.source.body, etag)
			}
			out, err := r.attempt(t)
			require.NoError(t, err)
			r.requireExact(t)
			spec, _ := r.memory.Spec(r.key)
			require.Equal(t, copier.WayStream, out.Way)
			require.Equal(t, *last.Load(), spec.Metadata[metadataETag])
			require.LessOrEqual(t, r.source.plain(), int64(2))
		})
	}
}

// TestPartsOfTwoVersionsAreNeverMixed interrupts the copy of a new version of the same size. The
// next try finds its parts, and a source that serves one of the versions.
func TestPartsOfTwoVersionsAreNeverMixed(t *testing.T) {
	const count = 5
	for name, tc := range map[string]struct {
		next    int // The version that is served to the next try
		resumed bool
	}{
		"the new version stays":      {1, true},
		"the old version comes back": {0, false},
		"a third version":            {2, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := inMemory(t, count*partSize)
			v := versions(count*partSize, count*partSize, count*partSize)
			r.describedAs(v[0])
			r.serveChosen(func(bool, int64) version { return v[1] })
			r.memory.OnPart = func(number int32) error {
				if number == count {
					return errDown
				}
				return nil
			}
			_, err := r.attempt(t)
			require.ErrorIs(t, err, errDown)
			require.Equal(t, 1, r.open(t))
			r.memory.OnPart = nil

			r.serveChosen(func(bool, int64) version { return v[tc.next] })
			r.source.forget()
			out, err := r.attempt(t)
			require.NoError(t, err)
			r.requireVersion(t, v[tc.next])
			require.Equal(t, copier.WayRanges, out.Way)
			require.Equal(t, tc.resumed, out.Resumed > 0)
			if tc.resumed {
				require.Zero(t, r.source.plain())
				require.EqualValues(t, partSize, out.Fetched, "stored parts were fetched again")
			}
		})
	}
}

// TestKilledCopyFetchesOnlyPartsInFlightAgain cancels a copy, and resumes it.
func TestKilledCopyFetchesOnlyPartsInFlightAgain(t *testing.T) {
	const count, stored = 9, 4
	r := inMemory(t, count*partSize)
	ctx, kill := context.WithCancel(t.Context())
	var n atomic.Int64
	r.memory.OnPart = func(int32) error {
		if n.Add(1) > stored {
			kill()
			return errDown
		}
		return nil
	}
	_, err := r.attemptIn(ctx)
	require.Error(t, err)
	require.ErrorIs(t, ctx.Err(), context.Canceled)
	kept, err := r.memory.ListParts(t.Context(), storage.Upload{Key: r.key, ID: r.saved.Load().Upload})
	require.NoError(t, err)
	require.Len(t, kept, stored)

	r.memory.OnPart = nil
	sent := r.source.sentBytes()
	require.LessOrEqual(t, sent, int64((stored+inFlight)*partSize))
	r.source.forget()
	out, err := r.attempt(t)
	require.NoError(t, err)
	r.requireExact(t)
	require.Equal(t, copier.WayRanges, out.Way)
	require.EqualValues(t, stored*partSize, out.Resumed)
	// A request of the killed copy may reach the source late. Its client is gone, so that it gets less
	// than a buffer.
	require.InDelta(t, (count-stored)*partSize, r.source.sentBytes(), 1<<16)
}

// TestEarlierBuildsDoNotSeeARestartedUpload decodes a state as a build before 2026-11-25 does, which
// knows no Meta.
func TestEarlierBuildsDoNotSeeARestartedUpload(t *testing.T) {
	for name, meta := range map[string]*origin.Meta{"first version": nil, "restarted": {Size: 7, ETag: `"two"`}} {
		t.Run(name, func(t *testing.T) {
			state := copier.State{Upload: "u", PartSize: 5, Hashed: 1, Hash: []byte("h"), Meta: meta}
			data, err := json.Marshal(state)
			require.NoError(t, err)
			var earlier struct {
				Upload   string `json:"upload"`
				PartSize int64  `json:"partSize"`
			}
			require.NoError(t, json.Unmarshal(data, &earlier))
			require.EqualValues(t, 5, earlier.PartSize)
			require.Equal(t, meta == nil, earlier.Upload == "u", string(data))
			var again copier.State
			require.NoError(t, json.Unmarshal(data, &again))
			require.Equal(t, state, again)
		})
	}
}
