package storagetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// Bucket is what is under contract.
type Bucket interface {
	Head(ctx context.Context, key string) (storage.Stored, error)
	Upload(ctx context.Context, in storage.UploadInput) (storage.Stored, error)
	Delete(ctx context.Context, key string) error
	Location(ctx context.Context, method, key string, expires time.Time) (string, error)
}

// Fixture is a bucket and how to see past its interface.
type Fixture struct {
	Bucket Bucket
	// PartSize is the bucket's.
	PartSize int64
	// Read returns what is stored under a key.
	Read func(t *testing.T, key string) (body []byte, ok bool)
	// OpenUploads counts the multipart uploads that nobody completed or aborted.
	OpenUploads func(t *testing.T) int
}

// Run checks the contract. Every case uses keys of its own.
func Run(t *testing.T, f Fixture) {
	t.Helper()
	prefix := "host/" + strconv.FormatInt(time.Now().UnixNano(), 36)
	part := f.PartSize
	for name, size := range map[string]int64{
		"empty": 0, "one byte": 1, "a part less one": part - 1, "a part": part, "a part and one": part + 1,
		"several parts": 3*part + 12345,
	} {
		t.Run("stores "+name, func(t *testing.T) { stores(t, f, prefix+"/"+strconv.Itoa(int(size)), size, size) })
		t.Run("stores "+name+" of unknown size", func(t *testing.T) {
			stores(t, f, prefix+"/unknown-"+strconv.Itoa(int(size)), size, -1)
		})
	}
	broken := errors.New("the source broke")
	for name, tc := range map[string]struct {
		size int64
		body io.Reader
		err  error
	}{
		"a short body":          {10, bytes.NewReader(make([]byte, 9)), storage.ErrMismatch},
		"a long body":           {10, bytes.NewReader(make([]byte, 11)), storage.ErrMismatch},
		"no body":               {10, bytes.NewReader(nil), storage.ErrMismatch},
		"a short large body":    {3 * part, bytes.NewReader(make([]byte, 2*part+1)), storage.ErrMismatch},
		"a long large body":     {3 * part, bytes.NewReader(make([]byte, 3*part+1)), storage.ErrMismatch},
		"one shorter than part": {3 * part, bytes.NewReader(make([]byte, part-1)), storage.ErrMismatch},
		"a broken body":         {10, iotest.ErrReader(broken), broken},
		"a body that breaks":    {3 * part, io.MultiReader(bytes.NewReader(make([]byte, 2*part)), iotest.ErrReader(broken)), broken},
		"a broken body of unknown size": {
			-1, io.MultiReader(bytes.NewReader(make([]byte, 2*part)), iotest.ErrReader(broken)), broken,
		},
	} {
		t.Run("stores nothing of "+name, func(t *testing.T) {
			key := prefix + "/broken/" + strconv.Itoa(len(name)) + strconv.FormatInt(tc.size, 10)
			_, err := f.Bucket.Upload(t.Context(), storage.UploadInput{Key: key, Body: tc.body, Size: tc.size})
			require.ErrorIs(t, err, tc.err)
			_, err = f.Bucket.Head(t.Context(), key)
			require.ErrorIs(t, err, storage.ErrNotFound)
			require.Zero(t, f.OpenUploads(t))
		})
	}
	t.Run("a cancelled upload leaves nothing behind", func(t *testing.T) { cancelled(t, f, prefix+"/cancelled/x") })
	t.Run("deleting is idempotent", func(t *testing.T) {
		key := prefix + "/deleted/x"
		require.NoError(t, f.Bucket.Delete(t.Context(), key))
		stores(t, f, key, 3, 3)
		require.NoError(t, f.Bucket.Delete(t.Context(), key))
		_, err := f.Bucket.Head(t.Context(), key)
		require.ErrorIs(t, err, storage.ErrNotFound)
		require.NoError(t, f.Bucket.Delete(t.Context(), key))
	})
	t.Run("an upload replaces what is there", func(t *testing.T) {
		stores(t, f, prefix+"/replaced/x", 3, 3)
		stores(t, f, prefix+"/replaced/x", part+1, part+1)
		stores(t, f, prefix+"/replaced/x", 5, 5)
	})
}

func stores(t *testing.T, f Fixture, key string, size, declared int64) {
	t.Helper()
	// Which bytes they are makes no difference to the code, only that parts differ.
	body := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(body)
	var progress maximum
	stored, err := f.Bucket.Upload(t.Context(), storage.UploadInput{
		Key: key, Body: iotest.HalfReader(bytes.NewReader(body)), Size: declared, ContentType: "text/x-test",
		Metadata: map[string]string{storage.MetadataGeneration: "42"}, Progress: progress.add,
	})
	require.NoError(t, err)
	require.Equal(t, size, stored.Size)
	require.EqualValues(t, 42, stored.Generation)
	require.Equal(t, size, progress.get())

	head, err := f.Bucket.Head(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, size, head.Size)
	require.EqualValues(t, 42, head.Generation)
	require.Equal(t, stored.CRC64NVME, head.CRC64NVME)
	got, ok := f.Read(t, key)
	require.True(t, ok)
	require.True(t, bytes.Equal(body, got), "stored bytes differ")
	require.Zero(t, f.OpenUploads(t))
}

func cancelled(t *testing.T, f Fixture, key string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// The body goes on for ever; it is the context that ends it, once parts are on their way.
	body := &endless{after: 2 * f.PartSize, then: cancel, ctx: ctx}
	_, err := f.Bucket.Upload(ctx, storage.UploadInput{Key: key, Body: body, Size: 100 * f.PartSize})
	require.ErrorIs(t, err, context.Canceled)
	_, err = f.Bucket.Head(t.Context(), key)
	require.ErrorIs(t, err, storage.ErrNotFound)
	require.Zero(t, f.OpenUploads(t))
}

type endless struct {
	ctx   context.Context //nolint:containedctx // it stands for a body that a request's context ends
	after int64
	then  func()
}

func (e *endless) Read(p []byte) (int, error) {
	if e.after -= int64(len(p)); e.after < 0 {
		e.then()
	}
	return len(p), e.ctx.Err()
}

// maximum keeps the greatest value it is told; parts end in any order.
type maximum struct {
	mu sync.Mutex
	n  int64
}

func (m *maximum) add(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n = max(m.n, n)
}

func (m *maximum) get() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.n
}
