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

	mu      sync.Mutex
	objects map[string]object
}

type object struct {
	body   []byte
	stored storage.Stored
}

// Head is [storage.Bucket.Head].
func (m *Memory) Head(_ context.Context, key string) (storage.Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Heads++
	if m.Err != nil {
		return storage.Stored{}, m.Err
	}
	o, ok := m.objects[key]
	if !ok {
		return storage.Stored{}, storage.ErrNotFound
	}
	return o.stored, nil
}

// Upload is [storage.Bucket.Upload].
func (m *Memory) Upload(_ context.Context, in storage.UploadInput) (storage.Stored, error) {
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
	if m.Err != nil {
		return storage.Stored{}, m.Err
	}
	stored := storage.Stored{Size: int64(len(body)), Generation: storage.Generation(in.Metadata)}
	if m.objects == nil {
		m.objects = map[string]object{}
	}
	m.objects[in.Key] = object{body: body, stored: stored}
	return stored, nil
}

// Delete is [storage.Bucket.Delete].
func (m *Memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return m.Err
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
