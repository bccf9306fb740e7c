package storage_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// refreshOf is an attempt to refresh a stored copy, whose id is then [ours]. Its former id is
// former.
func refreshOf(t *testing.T, s server, call, key string) *attempt {
	t.Helper()
	a := &attempt{faultyBucket: newFaultyBucket(t, s, nil), call: call, spec: copyOf(key, former), body: make([]byte, 100_000)}
	if call == storagetest.CallComplete {
		a.body = make([]byte, 2*storage.MinPartSize+12_345)
	}
	_, _ = rand.Read(a.body)
	a.SetCopyLimit(storage.MinPartSize)
	require.NoError(t, a.directBucket.Delete(t.Context(), key))
	before, err := a.directBucket.Put(t.Context(), a.spec, a.directBucket.Checksum().Body(a.body))
	require.NoError(t, err)
	a.run = func(ctx context.Context) (storage.Stored, error) {
		return a.Refresh(ctx, key, before.ETag, ours, func(int64) {})
	}
	return a
}

const former = "former copy"

// TestRefreshFaults injects faults into refreshes in one call, and in parts. No fault loses the
// object. The control is the first case.
func TestRefreshFaults(t *testing.T) {
	for _, s := range servers(t) {
		for name, f := range map[string]struct {
			inject func(a *attempt)
			err    error // Nil is success.
			holds  string
		}{
			"no fault":           {holds: ours},
			"the reply is lost":  {inject: dropReplies, holds: ours},
			"the call is lost":   {inject: dropRequests, err: errAny, holds: former},
			"access is denied":   {inject: refused(http.StatusForbidden, "AccessDenied"), err: errAny, holds: former},
			"it is overloaded":   {inject: refused(http.StatusServiceUnavailable, "SlowDown"), err: errAny, holds: former},
			"it lacks the call":  {inject: refused(http.StatusNotImplemented, "NotImplemented"), err: storage.ErrUnsupported, holds: former},
			"it is archived":     {inject: refused(http.StatusForbidden, "InvalidObjectState"), err: storage.ErrUnsupported, holds: former},
			"it can't be copied": {inject: refused(http.StatusBadRequest, "InvalidRequest"), err: storage.ErrUnsupported, holds: former},
			"another copy is stored meanwhile": {
				inject: func(a *attempt) {
					a.Request = func(r *http.Request) bool {
						if call := storagetest.Call(r); call == storagetest.CallCopy || call == storagetest.CallPartCopy {
							if a.injected.Add(1) == 1 {
								_ = a.storeChanged()
							}
						}
						return true
					}
				},
				err: storage.ErrConflict, holds: others,
			},
			"another copy is stored before the last call": {
				inject: func(a *attempt) {
					a.Request = func(r *http.Request) bool {
						if storagetest.Call(r) == a.call && a.injected.Add(1) == 1 {
							_ = a.storeChanged()
						}
						return true
					}
				},
				err: storage.ErrConflict, holds: others,
			},
			"it is deleted before the last call": {
				inject: func(a *attempt) {
					a.Request = func(r *http.Request) bool {
						if storagetest.Call(r) == a.call && a.injected.Add(1) == 1 {
							_ = a.directBucket.Delete(context.Background(), a.spec.Key)
						}
						return true
					}
				},
				err: storage.ErrConflict, holds: nothing,
			},
			"it is deleted meanwhile": {
				inject: func(a *attempt) {
					a.Request = func(r *http.Request) bool {
						if call := storagetest.Call(r); call == storagetest.CallCopy || call == storagetest.CallPartCopy {
							if a.injected.Add(1) == 1 {
								_ = a.directBucket.Delete(context.Background(), a.spec.Key)
							}
						}
						return true
					}
				},
				err: storage.ErrConflict, holds: nothing,
			},
		} {
			for _, call := range []string{storagetest.CallCopy, storagetest.CallComplete} {
				t.Run(s.name+", "+call+", "+name, func(t *testing.T) {
					a := refreshOf(t, s, call, call+"/"+name)
					if f.inject != nil {
						f.inject(a)
					}
					stored, err := a.run(t.Context())
					require.Equal(t, f.err != nil, err != nil, "error: %v", err)
					for _, class := range []error{storage.ErrConflict, storage.ErrUnsupported} {
						require.Equal(t, errors.Is(f.err, class), errors.Is(err, class), "error: %v", err)
					}
					if err == nil {
						require.Equal(t, ours, stored.CopyID)
					}
					if f.inject != nil {
						require.Positive(t, a.injected.Load(), "the fault was not injected")
					}
					require.Equal(t, f.holds, a.holds(t))
					require.Empty(t, a.uploads(t, a.spec.Key))
					require.Less(t, a.Largest(), int64(8<<10), "the bytes passed through this process")
				})
			}
		}
	}
}

// changed returns other bytes of the same length.
func changed(body []byte) []byte {
	body = bytes.Clone(body)
	body[0]++
	return body
}

// storeChanged stores another copy, without faults.
func (a *attempt) storeChanged() error {
	_, err := a.directClient.PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: &a.pool.Bucket, Key: &a.spec.Key, Body: bytes.NewReader(changed(a.body)),
		Metadata: map[string]string{storage.MetadataCopyID: others},
	})
	return err
}

// holds returns which copy the bucket holds, and checks its bytes.
func (a *attempt) holds(t *testing.T) string {
	t.Helper()
	stored, err := a.directBucket.Head(t.Context(), a.spec.Key)
	if err != nil {
		require.ErrorIs(t, err, storage.ErrNotFound)
		return nothing
	}
	want := a.body
	if stored.CopyID == others {
		want = changed(a.body)
	}
	require.True(t, bytes.Equal(want, a.read(t, a.spec.Key)), "stored bytes differ")
	return stored.CopyID
}

// refused has the server refuse the attempt's call.
func refused(status int, code string) func(a *attempt) {
	return func(a *attempt) { a.answerCall(func(w http.ResponseWriter) { refuse(w, status, code) }) }
}
