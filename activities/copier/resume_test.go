package copier_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

var errDown = errors.New("down")

// TestPartThatWasHashedAndNotStored has a part fetched again that the digest has seen already: it is not taken unseen.
func TestPartThatWasHashedAndNotStored(t *testing.T) {
	const count = 6
	r := inMemory(t, count*partSize)
	sum := sha256.Sum256(r.source.body)
	r.job.Expect = []origin.Digest{{Algorithm: "sha-256", Value: sum[:]}}
	r.memory.OnPart = func(number int32) error {
		if number == 2 {
			return errDown
		}
		return nil
	}
	_, err := r.attempt(t)
	require.ErrorIs(t, err, errDown)
	require.EqualValues(t, 1, r.saved.Load().Hashed, "the second part was never stored")
	r.memory.OnPart = nil

	good := r.source.body
	r.source.change(func() {
		r.source.body = append([]byte(nil), good...)
		r.source.body[partSize+7] ^= 1 // in the second part
	})
	_, err = r.attempt(t)
	require.ErrorIs(t, err, copier.ErrExpected)
	r.requireAbsent(t)
	require.Zero(t, r.open(t), "nobody knows which part is wrong")

	r.source.change(func() { r.source.body = good })
	_, err = r.attempt(t)
	require.NoError(t, err)
	r.requireExact(t)
}

// TestStateThatTheBucketDoesNotBearOut has parts gone that the digest has seen.
func TestStateThatTheBucketDoesNotBearOut(t *testing.T) {
	const count = 6
	for name, spoil := range map[string]func(s *copier.State){
		"more was hashed than is there": func(s *copier.State) { s.Hashed = count - 1 },
		"the hash is not one":           func(s *copier.State) { s.Hash = []byte("{") },
	} {
		t.Run(name, func(t *testing.T) {
			r := inMemory(t, count*partSize)
			sum := sha256.Sum256(r.source.body)
			r.job.Expect = []origin.Digest{{Algorithm: "sha-256", Value: sum[:]}}
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
			_, err = r.attempt(t)
			require.NoError(t, err)
			r.requireExact(t)
		})
	}
}

// TestServerThatCopiesByItself is the bucket's server between success and failure; package storage has the real ones.
func TestServerThatCopiesByItself(t *testing.T) {
	r := inMemory(t, 4*partSize)
	r.job.Server = &storage.CopySource{Bucket: "other", Key: "object", ETag: r.job.Meta.ETag, Size: r.job.Meta.Size}
	asked, fails := 0, true
	r.memory.OnCopy = func(
		_ context.Context, _ storage.ObjectSpec, src storage.CopySource, copied func(int64),
	) ([]byte, error) {
		asked++
		require.Equal(t, *r.job.Server, src)
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

	// What was begun by parts is finished by parts, though the server could by now.
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
	sent := r.source.sent.Load()
	out, err = r.attempt(t)
	require.NoError(t, err)
	require.Equal(t, copier.WayServer, out.Way)
	require.Equal(t, sent, r.source.sent.Load())
	r.requireExact(t)

	// A digest is compared with bytes, which nobody sees that way.
	r.again(t)
	sum := sha256.Sum256(r.source.body)
	r.job.Expect = []origin.Digest{{Algorithm: "sha-256", Value: sum[:]}}
	out, err = r.attempt(t)
	require.NoError(t, err)
	require.Equal(t, copier.WayRanges, out.Way)
	require.Equal(t, 3, asked)
}

// again makes the job one of another object.
func (r *fixture) again(t *testing.T) {
	t.Helper()
	server := r.job.Server
	r.newJob(t)
	r.job.Server = server
	r.saved.Store(nil)
}

// TestStreamIsNotGoneOnWith tells from a state that there is nothing to go on from.
func TestStreamIsNotGoneOnWith(t *testing.T) {
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
