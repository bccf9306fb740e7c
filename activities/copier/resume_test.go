package copier_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

var errDown = errors.New("down")

// TestPartThatWasHashedAndNotStored fetches a part again that the digest already covered. The
// second fetch is hashed too.
func TestPartThatWasHashedAndNotStored(t *testing.T) {
	const count = 6
	r := inMemory(t, count*partSize)
	r.job.SHA256 = true
	r.memory.OnPart = func(number int32) error {
		if number == 2 {
			return errDown
		}
		return nil
	}
	_, err := r.attempt(t)
	require.ErrorIs(t, err, errDown)
	require.EqualValues(t, 1, r.saved.Load().Hashed, "the second part is not stored")
	r.memory.OnPart = nil

	good := r.source.body
	r.source.change(func() {
		r.source.body = append([]byte(nil), good...)
		r.source.body[partSize+7] ^= 1 // In the second part
	})
	out, err := r.attempt(t)
	require.NoError(t, err)
	r.requireExact(t)
	sum := sha256.Sum256(r.source.body)
	require.Equal(t, hex.EncodeToString(sum[:]), out.SHA256)
}

// TestStateThatTheBucketContradicts resumes from a state that covers parts which the bucket lacks,
// or whose hash is invalid.
func TestStateThatTheBucketContradicts(t *testing.T) {
	const count = 6
	for name, spoil := range map[string]func(s *copier.State){
		"more parts hashed than stored": func(s *copier.State) { s.Hashed = count - 1 },
		"invalid hash":                  func(s *copier.State) { s.Hash = []byte("{") },
	} {
		t.Run(name, func(t *testing.T) {
			r := inMemory(t, count*partSize)
			r.job.SHA256 = true
			r.memory.OnPart = func(number int32) error {
				if number > 3 {
					return errDown
				}
				return nil
			}
			_, err := r.attempt(t)
			require.ErrorIs(t, err, errDown)
			r.memory.OnPart = nil
			state := *r.saved.Load()
			require.EqualValues(t, 3, state.Hashed)
			spoil(&state)
			r.saved.Store(&state)
			out, err := r.attempt(t)
			require.NoError(t, err)
			r.requireExact(t)
			sum := sha256.Sum256(r.source.body)
			require.Equal(t, hex.EncodeToString(sum[:]), out.SHA256)
		})
	}
}

// TestServerSideCopy uses a double of a server that copies, or fails to. Package storage tests real
// servers.
func TestServerSideCopy(t *testing.T) {
	r := inMemory(t, 4*partSize)
	server := func(m origin.Meta) *storage.CopySource {
		return &storage.CopySource{Bucket: "other", Key: "object", ETag: m.ETag, Size: m.Size}
	}
	r.job.Server = server
	asked, fails := 0, true
	r.memory.OnCopy = func(
		_ context.Context, _ storage.ObjectSpec, src storage.CopySource, copied func(int64),
	) ([]byte, error) {
		asked++
		require.Equal(t, *server(r.job.Meta), src)
		copied(partSize)
		if fails {
			return nil, errors.Join(storage.ErrNotCopied, errors.New("AccessDenied"))
		}
		return r.source.body, nil
	}
	r.memory.OnPart = func(number int32) error {
		if number == 4 {
			return errDown
		}
		return nil
	}
	_, err := r.attempt(t)
	require.ErrorIs(t, err, errDown)
	require.Equal(t, 1, asked)

	// A copy that started in parts is finished in parts, although the server could copy by now.
	r.memory.OnPart, fails = nil, false
	out, err := r.attempt(t)
	require.NoError(t, err)
	require.Equal(t, 1, asked)
	require.Equal(t, copier.WayRanges, out.Way)
	r.requireExact(t)

	fails = true
	r.again(t)
	out, err = r.attempt(t)
	require.NoError(t, err)
	require.Contains(t, out.Restarted, "AccessDenied")
	r.requireExact(t)

	fails = false
	r.again(t)
	sent := r.source.sentBytes()
	out, err = r.attempt(t)
	require.NoError(t, err)
	require.Equal(t, copier.WayServer, out.Way)
	require.Equal(t, sent, r.source.sentBytes())
	r.requireExact(t)

	// A server-side copy can't be hashed.
	r.again(t)
	r.job.SHA256 = true
	out, err = r.attempt(t)
	require.NoError(t, err)
	require.Equal(t, copier.WayRanges, out.Way)
	require.Equal(t, 3, asked)
}

// again replaces the job by the same copy under another key.
func (r *fixture) again(t *testing.T) {
	t.Helper()
	server := r.job.Server
	r.newJob(t)
	r.job.Server = server
	r.saved.Store(nil)
}

// TestStreamIsNotResumed restarts a streamed copy, because its state has no upload.
// TestCancelledStreamIsAborted cancels a copy that can't be resumed while it stores a part.
func TestCancelledStreamIsAborted(t *testing.T) {
	r := inMemory(t, 4*partSize)
	r.source.header = func(h http.Header) { h.Set("Accept-Ranges", "none") }
	r.newJob(t)
	ctx, cancel := context.WithCancel(t.Context())
	var parts atomic.Int64
	r.memory.OnPart = func(int32) error {
		parts.Add(1)
		cancel()
		return ctx.Err()
	}
	_, err := r.attemptIn(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Positive(t, parts.Load(), "an upload was open")
	require.Zero(t, r.open(t))
}

func TestStreamIsNotResumed(t *testing.T) {
	r := inMemory(t, 4*partSize)
	r.source.header = func(h http.Header) { h.Set("Accept-Ranges", "none") }
	r.newJob(t)
	r.memory.OnPart = func(int32) error { return errDown }
	_, err := r.attempt(t)
	require.ErrorIs(t, err, errDown)
	require.Empty(t, r.saved.Load().Upload)
	require.Zero(t, r.open(t))
	r.memory.OnPart = nil
	out, err := r.attempt(t)
	require.NoError(t, err)
	require.Equal(t, copier.WayStream, out.Way)
	require.NotEmpty(t, out.Restarted)
	r.requireExact(t)
}
