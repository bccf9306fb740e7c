package storagetest

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// Memory is an in-memory bucket. The zero value is empty and ready.
type Memory struct {
	// Err, if set, is the error of every call except Location, as if the bucket was down.
	Err error
	// Heads counts the calls of Head.
	Heads int
	// OnDelete, if set, is called in the middle of every Delete.
	OnDelete func()
	// OnRefresh, if set, is called before an object is refreshed. Refresh returns its error.
	OnRefresh func() error
	// Refreshes counts the refreshed objects.
	Refreshes int
	// Lifespan is the time after which an object expires. Zero is never.
	Lifespan time.Duration
	// OnPart, if set, is called before a part is stored. UploadPart returns its error.
	OnPart func(number int32) error
	// OnCopy, if set, copies in place of the server, and returns the object's bytes. CopyFrom
	// returns its error.
	OnCopy func(ctx context.Context, spec storage.ObjectSpec, src storage.CopySource, copied func(bytes int64)) ([]byte, error)

	mu      sync.Mutex
	serial  int // the last number of an ETag or an upload
	objects map[string]object
	uploads map[storage.Upload]*upload
}

type object struct {
	body   []byte
	spec   storage.ObjectSpec
	stored storage.Stored
}

type upload struct {
	parts  map[int32]storage.Part
	bodies map[int32][]byte
}

// Head is [storage.Bucket.Head].
func (m *Memory) Head(ctx context.Context, key string) (storage.Stored, error) {
	stored, _, err := m.HeadMetadata(ctx, key)
	return stored, err
}

// HeadMetadata is [storage.Bucket.HeadMetadata].
func (m *Memory) HeadMetadata(ctx context.Context, key string) (storage.Stored, map[string]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Heads++
	if err := m.down(ctx); err != nil {
		return storage.Stored{}, nil, err
	}
	o, ok := m.objects[key]
	if !ok {
		return storage.Stored{}, nil, storage.ErrNotFound
	}
	return o.stored, maps.Clone(o.spec.Metadata), nil
}

// Refresh is [storage.Bucket.Refresh].
func (m *Memory) Refresh(ctx context.Context, key, etag, copyID string, _ func(bytes int64)) (storage.Stored, error) {
	if m.OnRefresh != nil {
		if err := m.OnRefresh(); err != nil {
			return storage.Stored{}, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.down(ctx); err != nil {
		return storage.Stored{}, err
	}
	o, ok := m.objects[key]
	switch {
	case !ok:
		return storage.Stored{}, storage.ErrNotFound
	case o.stored.ETag != etag:
		return storage.Stored{}, storage.ErrConflict
	}
	o.spec.Metadata = maps.Clone(o.spec.Metadata)
	if o.spec.Metadata == nil {
		o.spec.Metadata = map[string]string{}
	}
	o.spec.Metadata[storage.MetadataCopyID], o.spec.Replaces = copyID, etag
	m.Refreshes++
	return m.store(o.spec, o.body)
}

// Age makes the object under key older, and its expiry earlier.
func (m *Memory) Age(key string, by time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.objects[key]
	o.stored.Headers.LastModified = o.stored.Headers.LastModified.Add(-by)
	if !o.stored.Expires.IsZero() {
		o.stored.Expires = o.stored.Expires.Add(-by)
	}
	m.objects[key] = o
}

// Checksum is [storage.Bucket.Checksum].
func (m *Memory) Checksum() storage.Checksum { return storage.ChecksumCRC64NVME }

// Put is [storage.Bucket.Put].
func (m *Memory) Put(ctx context.Context, spec storage.ObjectSpec, body storage.Body) (storage.Stored, error) {
	data, err := m.read(body)
	if err != nil {
		return storage.Stored{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.down(ctx); err != nil {
		return storage.Stored{}, err
	}
	return m.store(spec, data)
}

// read reads and verifies the body of a request, as a server does.
func (m *Memory) read(body storage.Body) ([]byte, error) {
	if _, err := body.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	sum := m.Checksum().New()
	sum.Write(data)
	if int64(len(data)) != body.Size || !slices.Equal(sum.Sum(nil), body.Sum) {
		return nil, fmt.Errorf("bad digest: %d of %d bytes", len(data), body.Size)
	}
	return data, nil
}

// store makes an object visible if its precondition holds.
func (m *Memory) store(spec storage.ObjectSpec, data []byte) (storage.Stored, error) {
	if m.objects[spec.Key].stored.ETag != spec.Replaces {
		return storage.Stored{}, fmt.Errorf("store %s: %w", spec.Key, storage.ErrConflict)
	}
	sum := m.Checksum().New()
	sum.Write(data)
	m.serial++
	stored := storage.Stored{
		Size: int64(len(data)), ETag: fmt.Sprintf(`"%d"`, m.serial), CRC64NVME: base64.StdEncoding.EncodeToString(sum.Sum(nil)),
		Generation: storage.Generation(spec.Metadata), CopyID: spec.Metadata[storage.MetadataCopyID],
		SHA256: storage.SHA256(spec.Metadata),
		Headers: storage.Headers{
			ContentType: spec.ContentType, ContentEncoding: spec.ContentEncoding, ContentDisposition: spec.ContentDisposition,
			ContentLanguage: spec.ContentLanguage, LastModified: time.Now(),
		},
	}
	if m.Lifespan > 0 {
		stored.Expires = stored.Headers.LastModified.Add(m.Lifespan)
	}
	if m.objects == nil {
		m.objects = map[string]object{}
	}
	m.objects[spec.Key] = object{body: data, spec: spec, stored: stored}
	return stored, nil
}

// CreateUpload is [storage.Bucket.CreateUpload].
func (m *Memory) CreateUpload(ctx context.Context, spec storage.ObjectSpec) (storage.Upload, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.down(ctx); err != nil {
		return storage.Upload{}, err
	}
	m.serial++
	u := storage.Upload{Key: spec.Key, ID: strconv.Itoa(m.serial)}
	if m.uploads == nil {
		m.uploads = map[storage.Upload]*upload{}
	}
	m.uploads[u] = &upload{parts: map[int32]storage.Part{}, bodies: map[int32][]byte{}}
	return u, nil
}

// UploadPart is [storage.Bucket.UploadPart].
func (m *Memory) UploadPart(ctx context.Context, u storage.Upload, number int32, body storage.Body) (storage.Part, error) {
	data, err := m.read(body)
	if err != nil {
		return storage.Part{}, err
	}
	if m.OnPart != nil {
		if err := m.OnPart(number); err != nil {
			return storage.Part{}, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	open, err := m.open(ctx, u)
	if err != nil {
		return storage.Part{}, err
	}
	m.serial++
	part := storage.Part{
		Number: number, Size: body.Size, ETag: fmt.Sprintf(`"%d"`, m.serial), Sum: base64.StdEncoding.EncodeToString(body.Sum),
	}
	open.parts[number], open.bodies[number] = part, data
	return part, nil
}

func (m *Memory) open(ctx context.Context, u storage.Upload) (*upload, error) {
	if err := m.down(ctx); err != nil {
		return nil, err
	}
	u.Initiated = time.Time{}
	open, ok := m.uploads[u]
	if !ok {
		return nil, fmt.Errorf("upload %s: %w", u.Key, storage.ErrNoUpload)
	}
	return open, nil
}

// ListParts is [storage.Bucket.ListParts].
func (m *Memory) ListParts(ctx context.Context, u storage.Upload) ([]storage.Part, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	open, err := m.open(ctx, u)
	if err != nil {
		return nil, err
	}
	var parts []storage.Part
	for _, n := range slices.Sorted(maps.Keys(open.parts)) {
		parts = append(parts, open.parts[n])
	}
	return parts, nil
}

// CompleteUpload is [storage.Bucket.CompleteUpload].
func (m *Memory) CompleteUpload(
	ctx context.Context, spec storage.ObjectSpec, u storage.Upload, parts []storage.Part,
) (storage.Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	open, err := m.open(ctx, u)
	if err != nil {
		return storage.Stored{}, err
	}
	var data []byte
	for i, p := range parts {
		if int(p.Number) != i+1 || open.parts[p.Number] != p {
			return storage.Stored{}, fmt.Errorf("complete %s: part %d differs from the uploaded one", u.Key, i+1)
		}
		data = append(data, open.bodies[p.Number]...)
	}
	stored, err := m.store(spec, data)
	if err == nil {
		delete(m.uploads, u)
	}
	return stored, err
}

// AbortUpload is [storage.Bucket.AbortUpload].
func (m *Memory) AbortUpload(ctx context.Context, u storage.Upload) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.down(ctx); err != nil {
		return err
	}
	u.Initiated = time.Time{}
	delete(m.uploads, u)
	return nil
}

// ListUploads is [storage.Bucket.ListUploads].
func (m *Memory) ListUploads(ctx context.Context, prefix string) ([]storage.Upload, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.down(ctx); err != nil {
		return nil, err
	}
	var uploads []storage.Upload
	for u := range m.uploads {
		if strings.HasPrefix(u.Key, prefix) {
			uploads = append(uploads, u)
		}
	}
	return uploads, nil
}

// CopyFrom is [storage.Bucket.CopyFrom]. Without OnCopy it fails with [storage.ErrNotCopied].
func (m *Memory) CopyFrom(
	ctx context.Context, spec storage.ObjectSpec, src storage.CopySource, copied func(bytes int64),
) (storage.Stored, error) {
	if m.OnCopy == nil {
		return storage.Stored{}, storage.ErrNotCopied
	}
	body, err := m.OnCopy(ctx, spec, src, copied)
	if err != nil {
		return storage.Stored{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.store(spec, body)
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

// down returns the error of a call. Like a real call, it fails if ctx has ended.
func (m *Memory) down(ctx context.Context) error {
	if m.Err != nil {
		return m.Err
	}
	return ctx.Err()
}

// Spec returns the spec of the object under key, and whether there is an object.
func (m *Memory) Spec(key string) (storage.ObjectSpec, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	return o.spec, ok
}

// Location is [storage.Bucket.Location]. The URL contains the key and the method. Like presigning,
// it works while the bucket is down.
func (m *Memory) Location(_ context.Context, method, key string, _ time.Time) (storage.Location, error) {
	return storage.Location{URL: "https://bucket.example/" + key + "?method=" + method}, nil
}

// Body returns the bytes of the object under key, and whether there is an object.
func (m *Memory) Body(key string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	return o.body, ok
}
