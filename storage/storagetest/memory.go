// Package storagetest has what tests of rooms above storage need: [Memory], a bucket without a server, and [Run], the
// contract that it and the real bucket both keep, so that what is proved on the one holds for the other.
package storagetest

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// Memory is an in-memory bucket. The zero value is empty and ready.
type Memory struct {
	// Err, if set, is what every call but Location answers: the bucket is down.
	Err error
	// Heads counts the calls of Head.
	Heads int
	// OnDelete, if set, is called in the middle of every Delete.
	OnDelete func()

	mu      sync.Mutex
	objects map[string]object
}

type object struct {
	body   []byte
	input  storage.UploadInput
	stored storage.Stored
}

// Head is [storage.Bucket.Head].
func (m *Memory) Head(ctx context.Context, key string) (storage.Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Heads++
	if err := m.down(ctx); err != nil {
		return storage.Stored{}, err
	}
	o, ok := m.objects[key]
	if !ok {
		return storage.Stored{}, storage.ErrNotFound
	}
	return o.stored, nil
}

// Upload is [storage.Bucket.Upload].
func (m *Memory) Upload(ctx context.Context, in storage.UploadInput) (storage.Stored, error) {
	body, err := io.ReadAll(in.Body)
	if err != nil {
		return storage.Stored{}, fmt.Errorf("upload %s: %w", in.Key, err)
	}
	if in.Size >= 0 && int64(len(body)) != in.Size {
		return storage.Stored{}, fmt.Errorf("upload %s: %w", in.Key, storage.ErrMismatch)
	}
	if in.Progress != nil {
		in.Progress(int64(len(body)))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.down(ctx); err != nil {
		return storage.Stored{}, err
	}
	stored := storage.Stored{Size: int64(len(body)), Generation: storage.Generation(in.Metadata)}
	if m.objects == nil {
		m.objects = map[string]object{}
	}
	m.objects[in.Key] = object{body: body, input: in, stored: stored}
	return stored, nil
}

// Delete is [storage.Bucket.Delete].
func (m *Memory) Delete(ctx context.Context, key string) error {
	if m.OnDelete != nil {
		m.OnDelete()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.down(ctx); err != nil {
		return err
	}
	delete(m.objects, key)
	return nil
}

// down is why a call fails, if it does: like a real one, it notices that its caller is gone.
func (m *Memory) down(ctx context.Context) error {
	if m.Err != nil {
		return m.Err
	}
	return ctx.Err()
}

// Input returns what was uploaded under key; its Body is read.
func (m *Memory) Input(key string) (storage.UploadInput, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	return o.input, ok
}

// Location is [storage.Bucket.Location]; the URL says what it was made from. Like signing, it works while the bucket is
// down.
func (m *Memory) Location(_ context.Context, method, key string, _ time.Time) (string, error) {
	return "https://bucket.example/" + key + "?method=" + method, nil
}

// Body returns what is stored under key.
func (m *Memory) Body(key string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	return o.body, ok
}
