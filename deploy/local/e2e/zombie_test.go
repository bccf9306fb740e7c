package e2e

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// TestZombie freezes a worker in the middle of its copies. Another worker makes the copies, and
// then the test thaws the first worker: the zombie. Its calls reach the server late, and must
// change nothing. The hardest cases are objects that were purged in between. They were copied
// again from a source with other bytes of the same length.
func TestZombie(t *testing.T) {
	const large, small = 22*mib + 4321, 3_000
	const parts = 5 // Of a large object
	type fate int
	const (
		finished fate = iota // Made by another worker
		replaced             // Purged, and copied again from a changed source
		purged               // Purged, and not requested again before the thaw
	)
	copies := map[string]struct {
		size   int
		call   string
		part   int
		fate   fate
		status int // Of the answer to the held call; 0 if the server may hang up during the body
	}{
		"put":    {small, callPut, 0, finished, 412},
		"create": {large, callCreate, 0, finished, 200},
		"part":   {large, callPart, 2, finished, 0},
		// The gateway answers a Complete with 200 if any object exists.
		"complete":                      {large, callComplete, 0, finished, 200},
		"put of a replaced object":      {small, callPut, 0, replaced, 412},
		"part of a replaced object":     {large, callPart, 2, replaced, 0},
		"complete of a replaced object": {large, callComplete, 0, replaced, 200},
		// The only held call that stores an object.
		"put of a purged object":      {small, callPut, 0, purged, 200},
		"part of a purged object":     {large, callPart, 2, purged, 0},
		"complete of a purged object": {large, callComplete, 0, purged, 404},
	}
	k := startKillable(t, central)
	sources, objects, points := map[string]*ranged{}, map[string]string{}, map[string]*s3Point{}
	for name, c := range copies {
		sources[name] = newRanged(t, c.size, nil)
		objects[name] = sources[name].object()
		points[name] = k.s3.stop(objects[name], c.call, c.part, false)
		require.False(t, ask(t, central, objects[name], "?max_wait=0").isCopy())
	}
	for name, p := range points {
		p.wait(t, name)
		if p.call == callPart {
			// The gateway recreates an aborted upload when it receives the rest of a part. All
			// parts that are not held must be stored before the worker freezes.
			eventually(t, func() bool { return k.s3.count(objects[name], callPart) == parts-1 }, name)
		}
	}
	k.signal(t, syscall.SIGSTOP)
	k.temporal.disconnect() // Otherwise its polls take tasks, which then time out
	for name, p := range points {
		select {
		case <-p.answered:
			require.Fail(t, "the worker gave up its call before it was frozen", name)
		default:
		}
	}
	require.NoError(t, sys.Resume("worker-eu-central-1"))

	for name, c := range copies {
		if c.fate != finished {
			purge(t, central, objects[name])
			sources[name].change()
		}
	}
	for name, c := range copies {
		if c.fate == finished {
			waitClosed(t, central, objects[name], 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
			continue
		}
		eventually(t, func() bool {
			return workflows(t, central, objects[name], 1)[0].GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING
		}, name)
	}
	before := map[string]stored{}
	for name, c := range copies {
		if c.fate == replaced {
			eventually(t, func() bool { return ask(t, central, objects[name], "?max_wait=5s").isCopy() }, name)
		}
		before[name] = head(t, central, objects[name])
		require.Equal(t, c.fate != purged, before[name].status == 200, name)
		require.Empty(t, openUploads(t, central, keyOf(t, objects[name])), name)
	}

	k.s3.release()
	for _, p := range points {
		<-p.answered
	}
	k.signal(t, syscall.SIGCONT)
	// The zombie sends a HEAD to find the outcome of its call. Temporal is disconnected, so the
	// zombie does not learn sooner that it has lost its copy. It sends the HEAD even if its
	// heartbeats fail, and the SDK cancels the copy, between the reply and the HEAD.
	for name, c := range copies {
		if (c.call == callPut || c.call == callComplete) && c.fate != purged {
			eventually(t, func() bool { return k.s3.count(objects[name], callHead) > 0 }, name)
		}
	}
	k.temporal.reconnect()
	// Temporal receives a result and refuses it, unless the copy ended ten seconds before the
	// reconnect. Then the result is lost.
	var refused int
	eventually(t, func() bool {
		var lost int
		refused, lost = k.results(t)
		return refused+lost == len(copies)
	}, "each of the zombie's copies ends")
	require.Positive(t, refused, "Temporal refused no result")
	k.terminate(t)

	for name, c := range copies {
		t.Run(name, func(t *testing.T) {
			if c.status != 0 {
				require.Equal(t, c.status, points[name].status)
			}
			if c.status == 200 && c.fate == purged {
				require.Equal(t, 200, head(t, central, objects[name]).status, "control: the zombie's put stores the object")
			} else {
				require.Equal(t, before[name], head(t, central, objects[name]))
			}
			var a answer
			eventually(t, func() bool { a = ask(t, central, objects[name], "?max_wait=5s"); return a.isCopy() }, name)
			requireCopy(t, sources[name].source, central, a)
			if c.call == callCreate {
				// The zombie aborts its upload, unless it learns too late that it has lost its
				// copy. Then the sweep aborts the upload.
				sweep(t, central, 0)
			}
			require.Empty(t, openUploads(t, central, keyOf(t, objects[name])))
		})
	}
}

// TestZombieAbortsNothing freezes a worker that is about to abort the uploads of earlier copies,
// and thaws it while another worker copies. The other worker's upload must survive.
func TestZombieAbortsNothing(t *testing.T) {
	gate := make(chan struct{})
	k := startKillable(t, central)
	s := newRanged(t, 22*mib, after(10*mib, gate))
	object := s.object()
	at := k.s3.stop(object, callList, 0, false)
	require.False(t, ask(t, central, object, "?max_wait=0").isCopy())
	at.wait(t, "list")
	k.signal(t, syscall.SIGSTOP)
	k.temporal.disconnect()
	require.NoError(t, sys.Resume("worker-eu-central-1"))
	eventually(t, func() bool { return storedParts(t, central, keyOf(t, object)) == 2 && s.open.Load() == 3 }, "two parts are stored")
	before := openUploads(t, central, keyOf(t, object))

	k.s3.release()
	<-at.answered
	require.Equal(t, 200, at.status)
	k.temporal.reconnect()
	k.signal(t, syscall.SIGCONT)
	eventually(t, func() bool { refused, _ := k.results(t); return refused == 1 }, "the zombie's result is refused")
	k.terminate(t)
	require.Equal(t, before, openUploads(t, central, keyOf(t, object)))
	close(gate)
	requireCopy(t, s.source, central, ask(t, central, object, ""))
	require.EqualValues(t, len(s.body), s.sent.Load(), "bytes fetched")
	w := waitClosed(t, central, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	require.EqualValues(t, 2, activities(t, w)["StreamCopy"].attempts)
}

// results counts the activity results that Temporal refused, and the results that did not reach it.
func (k *killable) results(t *testing.T) (refused, lost int) {
	t.Helper()
	for _, line := range k.logged(t) {
		var entry struct {
			Message, Error string
			WorkerType     string `json:"worker_type"`
		}
		if json.Unmarshal(line, &entry) != nil || entry.WorkerType != "ActivityWorker" ||
			entry.Message != "Task processing failed with error" {
			continue
		}
		// The workflow has closed, or another attempt has replaced this attempt.
		if strings.Contains(entry.Error, "already completed") || strings.Contains(entry.Error, "already timed out") {
			refused++
		} else {
			lost++
		}
	}
	return refused, lost
}
