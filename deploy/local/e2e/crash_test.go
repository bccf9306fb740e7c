package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// TestKilledAtEveryPoint kills a worker while it has a copy at each point. At a point, a request or
// its reply is in flight, and the worker can't know whether the request was handled. Another worker
// must finish each copy exactly, and fetch no byte that is stored already.
func TestKilledAtEveryPoint(t *testing.T) {
	const large, part, small = 22*mib + 4321, 5 * mib, 300_000
	const parts = 5 // Of the large object
	const again, found = "parallel ranges", "found"
	type want struct {
		object   int   // Status of a HEAD while the copy is at its point
		uploads  int   // Open uploads at the point
		fetched  int64 // Bytes in total
		resumed  int64 // Bytes, by the second attempt at StreamCopy
		way      string
		activity string // Takes at least two attempts
	}
	copies := []struct {
		name  string
		size  int
		call  string // Of S3; empty is the write to redis
		part  int
		reply bool
		want  want
	}{
		{"after create", large, callCreate, 0, true, want{404, 1, large, 0, again, "StreamCopy"}},
		{"before a part", large, callPart, 2, false, want{404, 1, large + part, large - part, again, "StreamCopy"}},
		{"after a part", large, callPart, 2, true, want{404, 1, large, large, again, "StreamCopy"}},
		{"before the last part", large, callPart, parts, false, want{404, 1, large + large%part, large - large%part, again, "StreamCopy"}},
		{"before complete", large, callComplete, 0, false, want{404, 1, large, large, again, "StreamCopy"}},
		{"after complete", large, callComplete, 0, true, want{200, 0, large, 0, found, "StreamCopy"}},
		{"before put", small, callPut, 0, false, want{404, 0, 2 * small, 0, "one request", "StreamCopy"}},
		{"after put", small, callPut, 0, true, want{200, 0, small, 0, found, "StreamCopy"}},
		// These are last, because a redis client soon gives up.
		{"before the cache write", large, "", 0, false, want{200, 0, large, 0, again, "UpdateCache"}},
		{"after the cache write", small, "", 0, true, want{200, 0, small, 0, "one request", "UpdateCache"}},
	}
	k := startKillable(t, east)
	sources, objects, points := make([]*ranged, len(copies)), make([]string, len(copies)), make([]*point, len(copies))
	start := func(i int) {
		c := copies[i]
		sources[i] = newRanged(t, c.size, nil)
		objects[i] = sources[i].object()
		if c.call == "" {
			points[i] = k.redis.stop(east, objects[i], c.reply)
		} else {
			points[i] = k.s3.stop(objects[i], c.call, c.part, c.reply).point
		}
		require.False(t, ask(t, east, objects[i], "?max_wait=0").isCopy())
	}
	arrive := func(i int) {
		c := copies[i]
		points[i].wait(t, c.name)
		if c.call == callPart { // Wait for all other parts as well
			stored := parts
			if !c.reply {
				stored--
			}
			eventually(t, func() bool { return k.s3.count(objects[i], callPart) == stored }, c.name)
		}
		require.Equal(t, c.want.object, head(t, east, objects[i]).status, c.name)
		require.Len(t, openUploads(t, east, keyOf(t, objects[i])), c.want.uploads, c.name)
	}
	last := len(copies) - 2
	for i := range last {
		start(i)
	}
	for i := range last {
		arrive(i)
	}
	for i := last; i < len(copies); i++ {
		start(i)
	}
	for i := last; i < len(copies); i++ {
		arrive(i)
	}
	k.kill()
	require.NoError(t, sys.Resume("worker-us-east-1"))

	for i, c := range copies {
		t.Run(c.name, func(t *testing.T) {
			w := waitClosed(t, east, objects[i], 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
			a := ask(t, east, objects[i], "?max_wait=0")
			requireCopy(t, sources[i].source, east, a)
			require.Empty(t, openUploads(t, east, keyOf(t, objects[i])))
			require.Equal(t, c.want.fetched, sources[i].sent.Load(), "bytes fetched")

			done := activities(t, w)
			for name, a := range done {
				if name == c.want.activity { // A worker that dies in a local attempt loses its workflow task
					require.Greater(t, int(a.attempts)+lostTasks(t, w), 1, name)
				} else {
					require.EqualValues(t, 1, a.attempts, name)
				}
			}
			result := done["StreamCopy"].result
			require.EqualValues(t, c.size, result.Size)
			require.Equal(t, c.want.way, result.Way)
			require.Equal(t, c.want.resumed, result.Resumed)
			require.Empty(t, result.Restarted)
		})
	}
}
