package storagetest

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// Bucket is the contract that [Run] checks. A method fails with the errors that it names, with
// ctx's, or with the server's. No method retries more than the AWS SDK does, except AbortUpload. No
// method closes a body.
type Bucket interface {
	// Head returns the object under key. It fails with [storage.ErrNotFound] if there is none.
	Head(ctx context.Context, key string) (storage.Stored, error)

	// HeadMetadata returns the object as Head does, and all its user metadata.
	HeadMetadata(ctx context.Context, key string) (storage.Stored, map[string]string, error)

	// Checksum returns the kind of checksum that bodies must have.
	Checksum() storage.Checksum

	// Put stores an object completely or not at all, and returns it as Head does. It reads the body
	// from its start. It fails with [storage.ErrConflict] unless spec.Replaces allows the object,
	// with [storage.ErrMismatch] if the stored object differs, and if the body does not match its
	// checksum.
	Put(ctx context.Context, spec storage.ObjectSpec, body storage.Body) (storage.Stored, error)

	// CreateUpload starts a multipart upload. The caller completes or aborts it.
	CreateUpload(ctx context.Context, spec storage.ObjectSpec) (storage.Upload, error)

	// UploadPart stores a part, numbered from 1, and replaces the part with that number. It reads
	// the body from its start. It fails with [storage.ErrNoUpload], and if the body does not match
	// its checksum.
	UploadPart(ctx context.Context, u storage.Upload, number int32, body storage.Body) (storage.Part, error)

	// ListParts returns the stored parts by number. It fails with [storage.ErrNoUpload].
	ListParts(ctx context.Context, u storage.Upload) ([]storage.Part, error)

	// CompleteUpload makes the object of all parts visible, and returns it as Head does. Nothing is
	// visible before. It fails with [storage.ErrNoUpload], with [storage.ErrConflict] unless
	// spec.Replaces allows the object, with [storage.ErrMismatch] if the object differs, and if a
	// part is missing or differs. The upload stays open after a conflict or a wrong part.
	CompleteUpload(ctx context.Context, spec storage.ObjectSpec, u storage.Upload, parts []storage.Part) (storage.Stored, error)

	// AbortUpload deletes an upload and its parts. A missing upload is no error.
	AbortUpload(ctx context.Context, u storage.Upload) error

	// ListUploads returns the open uploads of the keys with the prefix. Servers may return only
	// those of the key that equals the prefix, unless the prefix is empty.
	ListUploads(ctx context.Context, prefix string) ([]storage.Upload, error)

	// Refresh has the server copy the object with the ETag onto itself. The object keeps
	// everything, except that it is as new, and has the id copyID. Refresh fails with
	// [storage.ErrNotFound] and with [storage.ErrConflict] if the bucket no longer has the object.
	Refresh(ctx context.Context, key, etag, copyID string, copied func(bytes int64)) (storage.Stored, error)

	// Delete deletes an object. A missing object is no error.
	Delete(ctx context.Context, key string) error

	// Location returns the URL with which a client reads the object by method. It works while the
	// server is down.
	Location(ctx context.Context, method, key string, expires time.Time) (storage.Location, error)
}

var (
	_ Bucket = (*Memory)(nil)
	_ Bucket = (*storage.Bucket)(nil)
)

// Fixture is a bucket under test.
type Fixture struct {
	Bucket Bucket
	// PartSize is the smallest size, in bytes, of every part except the last.
	PartSize int
	// Read returns the bytes of an object, without the Bucket interface.
	Read func(t *testing.T, key string) (body []byte)
}

// contract is one run of the suite.
type contract struct {
	Fixture
	prefix string
	keys   int
}

// Run checks the contract of [Bucket]. Every case uses its own keys.
func Run(t *testing.T, f Fixture) {
	t.Helper()
	c := &contract{Fixture: f, prefix: "host/" + strconv.FormatInt(time.Now().UnixNano(), 36) + "/"}
	for name, test := range map[string]func(t *testing.T, key string){
		"a put stores exactly its bytes":                          c.puts,
		"a put replaces only the object in Replaces":              c.putsConditionally,
		"bytes that do not match their checksum are not stored":   c.refusesOtherBytes,
		"an upload stores exactly its parts":                      c.uploads,
		"an upload replaces only the object in Replaces":          c.uploadsConditionally,
		"parts are listed, and replaced by number":                c.listsParts,
		"an upload with a wrong or missing part is refused":       c.refusesOtherParts,
		"an aborted upload is gone, and aborting is idempotent":   c.aborts,
		"an upload shows nothing before it is completed":          c.showsNothing,
		"a completed upload is gone":                              c.completesOnce,
		"deleting is idempotent":                                  c.deletes,
		"a refreshed object is as new":                            c.refreshes,
		"a refresh of another object changes nothing":             c.refreshesConditionally,
		"a cancelled caller gets an error, and nothing is stored": c.notices,
		"a location names its object, by method":                  c.locates,
	} {
		c.keys++
		key := c.prefix + strconv.Itoa(c.keys)
		t.Run(name, func(t *testing.T) { test(t, key) })
	}
}

// random returns bytes that differ from seed to seed. The code under test treats all bytes alike.
func random(seed byte, size int) []byte {
	body := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(body)
	return body
}

func (c *contract) body(b []byte) storage.Body { return c.Bucket.Checksum().Body(b) }

func specOf(key, copyID string) storage.ObjectSpec {
	return storage.ObjectSpec{
		Key: key, ContentType: "text/x-test", ContentEncoding: "x-test", ContentDisposition: `attachment; filename="a b"`,
		ContentLanguage: "de, en",
		Metadata: map[string]string{
			storage.MetadataGeneration: "42", storage.MetadataCopyID: copyID, storage.MetadataSHA256: digest,
		},
	}
}

// digest is a SHA-256 in hex, of anything.
var digest = strings.Repeat("0a", 32)

// requireStored checks that a call's result, Head's and the stored bytes agree.
func (c *contract) requireStored(t *testing.T, key string, want []byte, said storage.Stored) {
	t.Helper()
	head, err := c.Bucket.Head(t.Context(), key)
	require.NoError(t, err)
	said.Expires, head.Expires = time.Time{}, time.Time{}
	said.Headers, head.Headers = storage.Headers{}, storage.Headers{} // Not all calls know them.
	require.Equal(t, said, head)
	require.EqualValues(t, len(want), head.Size)
	require.EqualValues(t, 42, head.Generation)
	require.Equal(t, digest, head.SHA256)
	require.NotEmpty(t, head.ETag)
	require.True(t, bytes.Equal(want, c.Read(t, key)), "stored bytes differ")
}

func (c *contract) requireNothing(t *testing.T, key string) {
	t.Helper()
	_, err := c.Bucket.Head(t.Context(), key)
	require.ErrorIs(t, err, storage.ErrNotFound)
}

func (c *contract) open(t *testing.T, key string) []storage.Upload {
	t.Helper()
	open, err := c.Bucket.ListUploads(t.Context(), key)
	require.NoError(t, err)
	return open
}

func (c *contract) puts(t *testing.T, key string) {
	for i, size := range []int{0, 1, c.PartSize - 1, c.PartSize, c.PartSize + 1} {
		body, key := random(1, size), key+"-"+strconv.Itoa(i)
		sent := c.body(body)
		_, err := io.Copy(io.Discard, sent) // it must be sent from its start
		require.NoError(t, err)
		said, err := c.Bucket.Put(t.Context(), specOf(key, "a"), sent)
		require.NoError(t, err)
		c.requireStored(t, key, body, said)
		require.Equal(t, "a", said.CopyID)
	}
}

func (c *contract) putsConditionally(t *testing.T, key string) {
	first, err := c.Bucket.Put(t.Context(), specOf(key, "a"), c.body(random(1, 10)))
	require.NoError(t, err)
	put := func(replaces string) (storage.Stored, error) {
		spec := specOf(key, "b")
		spec.Replaces = replaces
		return c.Bucket.Put(t.Context(), spec, c.body(random(2, 20)))
	}
	for _, replaces := range []string{"", `"00000000000000000000000000000000"`} {
		_, err = put(replaces)
		require.ErrorIs(t, err, storage.ErrConflict)
		c.requireStored(t, key, random(1, 10), first)
	}
	second, err := put(first.ETag)
	require.NoError(t, err)
	c.requireStored(t, key, random(2, 20), second)
	_, err = put(first.ETag)
	if err != nil { // or none, if a HEAD finds this copy stored already
		require.ErrorIs(t, err, storage.ErrConflict)
	}
	c.requireStored(t, key, random(2, 20), second)
}

func (c *contract) refusesOtherBytes(t *testing.T, key string) {
	body := c.body(random(1, 1000))
	body.ReadSeeker = c.body(random(2, 1000))
	_, err := c.Bucket.Put(t.Context(), specOf(key, "a"), body)
	require.Error(t, err)
	c.requireNothing(t, key)

	u, err := c.Bucket.CreateUpload(t.Context(), specOf(key, "a"))
	require.NoError(t, err)
	_, err = c.Bucket.UploadPart(t.Context(), u, 1, body)
	require.Error(t, err)
	parts, err := c.Bucket.ListParts(t.Context(), u)
	require.NoError(t, err)
	require.Empty(t, parts)
	require.NoError(t, c.Bucket.AbortUpload(t.Context(), u))
}

// upload creates an upload of three parts, of which the last is small. It returns the parts and all
// their bytes.
func (c *contract) upload(t *testing.T, key, copyID string) (storage.ObjectSpec, storage.Upload, []storage.Part, []byte) {
	t.Helper()
	spec := specOf(key, copyID)
	u, err := c.Bucket.CreateUpload(t.Context(), spec)
	require.NoError(t, err)
	require.Equal(t, key, u.Key)
	var parts []storage.Part
	var body []byte
	for i, size := range []int{c.PartSize, c.PartSize + 1, 1} {
		bytes := random(byte(i), size)
		sent := c.body(bytes)
		_, err := io.Copy(io.Discard, sent)
		require.NoError(t, err)
		p, err := c.Bucket.UploadPart(t.Context(), u, int32(i+1), sent)
		require.NoError(t, err)
		require.EqualValues(t, i+1, p.Number)
		require.EqualValues(t, size, p.Size)
		parts, body = append(parts, p), append(body, bytes...)
	}
	return spec, u, parts, body
}

func (c *contract) uploads(t *testing.T, key string) {
	spec, u, parts, body := c.upload(t, key, "a")
	said, err := c.Bucket.CompleteUpload(t.Context(), spec, u, parts)
	require.NoError(t, err)
	c.requireStored(t, key, body, said)
	require.Equal(t, "a", said.CopyID)
	require.Empty(t, c.open(t, key))
}

func (c *contract) uploadsConditionally(t *testing.T, key string) {
	spec, u, parts, body := c.upload(t, key, "a")
	first, err := c.Bucket.CompleteUpload(t.Context(), spec, u, parts)
	require.NoError(t, err)

	spec, u, parts, _ = c.upload(t, key, "b")
	_, err = c.Bucket.CompleteUpload(t.Context(), spec, u, parts)
	require.ErrorIs(t, err, storage.ErrConflict)
	c.requireStored(t, key, body, first)
	require.Len(t, c.open(t, key), 1)
	spec.Replaces = first.ETag
	second, err := c.Bucket.CompleteUpload(t.Context(), spec, u, parts)
	require.NoError(t, err)
	c.requireStored(t, key, body, second)
	require.Equal(t, "b", second.CopyID)
}

func (c *contract) listsParts(t *testing.T, key string) {
	spec, u, parts, _ := c.upload(t, key, "a")
	listed, err := c.Bucket.ListParts(t.Context(), u)
	require.NoError(t, err)
	require.Equal(t, parts, listed)

	replaced, err := c.Bucket.UploadPart(t.Context(), u, 1, c.body(random(9, c.PartSize+5)))
	require.NoError(t, err)
	listed, err = c.Bucket.ListParts(t.Context(), u)
	require.NoError(t, err)
	require.Equal(t, []storage.Part{replaced, parts[1], parts[2]}, listed)
	said, err := c.Bucket.CompleteUpload(t.Context(), spec, u, listed)
	require.NoError(t, err)
	want := append(append(random(9, c.PartSize+5), random(1, c.PartSize+1)...), random(2, 1)...)
	c.requireStored(t, key, want, said)
}

func (c *contract) refusesOtherParts(t *testing.T, key string) {
	spec, u, parts, body := c.upload(t, key, "a")
	lied := append([]storage.Part(nil), parts...)
	lied[1].Sum = parts[0].Sum
	for name, wrong := range map[string][]storage.Part{
		"the first is missing": parts[1:], "the second is missing": {parts[0], parts[2]},
		"wrong checksum": lied,
	} {
		_, err := c.Bucket.CompleteUpload(t.Context(), spec, u, wrong)
		require.Error(t, err, name)
		c.requireNothing(t, key)
	}
	said, err := c.Bucket.CompleteUpload(t.Context(), spec, u, parts)
	require.NoError(t, err)
	c.requireStored(t, key, body, said)
}

func (c *contract) aborts(t *testing.T, key string) {
	spec, u, parts, _ := c.upload(t, key, "a")
	open := c.open(t, key)
	require.Len(t, open, 1)
	require.Equal(t, u.ID, open[0].ID)
	for range 2 {
		require.NoError(t, c.Bucket.AbortUpload(t.Context(), open[0]))
	}
	require.Empty(t, c.open(t, key))
	_, err := c.Bucket.ListParts(t.Context(), u)
	require.ErrorIs(t, err, storage.ErrNoUpload)
	_, err = c.Bucket.UploadPart(t.Context(), u, 1, c.body(random(1, 10)))
	require.ErrorIs(t, err, storage.ErrNoUpload)
	_, err = c.Bucket.CompleteUpload(t.Context(), spec, u, parts)
	require.ErrorIs(t, err, storage.ErrNoUpload)
	c.requireNothing(t, key)
}

func (c *contract) showsNothing(t *testing.T, key string) {
	_, u, _, _ := c.upload(t, key, "a")
	c.requireNothing(t, key)
	require.NoError(t, c.Bucket.AbortUpload(t.Context(), u))
	c.requireNothing(t, key)
}

func (c *contract) completesOnce(t *testing.T, key string) {
	spec, u, parts, body := c.upload(t, key, "a")
	said, err := c.Bucket.CompleteUpload(t.Context(), spec, u, parts)
	require.NoError(t, err)
	_, err = c.Bucket.ListParts(t.Context(), u)
	require.ErrorIs(t, err, storage.ErrNoUpload)
	_, err = c.Bucket.UploadPart(t.Context(), u, 1, c.body(random(3, 1000))) // servers may not read a large body
	require.ErrorIs(t, err, storage.ErrNoUpload)
	require.NoError(t, c.Bucket.AbortUpload(t.Context(), u))
	c.requireStored(t, key, body, said)
}

func (c *contract) deletes(t *testing.T, key string) {
	require.NoError(t, c.Bucket.Delete(t.Context(), key))
	_, err := c.Bucket.Put(t.Context(), specOf(key, "a"), c.body(random(1, 3)))
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, c.Bucket.Delete(t.Context(), key))
		c.requireNothing(t, key)
	}
}

// refreshes refreshes an object until its time, which has whole seconds, has changed.
func (c *contract) refreshes(t *testing.T, key string) {
	body := random(1, c.PartSize+1)
	_, err := c.Bucket.Put(t.Context(), specOf(key, "a"), c.body(body))
	require.NoError(t, err)
	before, metadata, err := c.Bucket.HeadMetadata(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, specOf(key, "a").Metadata, metadata)
	now := before
	for deadline := time.Now().Add(10 * time.Second); !now.Headers.LastModified.After(before.Headers.LastModified); {
		require.True(t, time.Now().Before(deadline), "the object is not as new")
		said, err := c.Bucket.Refresh(t.Context(), key, now.ETag, "b", func(int64) {})
		require.NoError(t, err)
		c.requireStored(t, key, body, said)
		now, metadata, err = c.Bucket.HeadMetadata(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, specOf(key, "b").Metadata, metadata)
	}
	require.Contains(t, []string{now.CRC64NVME, ""}, before.CRC64NVME) // A server may add it.
	require.Equal(t, "a", before.CopyID)
	require.Equal(t, "b", now.CopyID)
	before.Headers.LastModified, now.Headers.LastModified = time.Time{}, time.Time{}
	require.Equal(t, before.Headers, now.Headers)
	require.Empty(t, c.open(t, key))
}

func (c *contract) refreshesConditionally(t *testing.T, key string) {
	_, err := c.Bucket.Refresh(t.Context(), key, `"1"`, "b", func(int64) {})
	require.ErrorIs(t, err, storage.ErrNotFound)
	c.requireNothing(t, key)
	said, err := c.Bucket.Put(t.Context(), specOf(key, "a"), c.body(random(1, 10)))
	require.NoError(t, err)
	_, err = c.Bucket.Refresh(t.Context(), key, `"00000000000000000000000000000000"`, "b", func(int64) {})
	require.ErrorIs(t, err, storage.ErrConflict)
	c.requireStored(t, key, random(1, 10), said)
}

func (c *contract) notices(t *testing.T, key string) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Bucket.Put(gone, specOf(key, "a"), c.body(random(1, 10)))
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.Bucket.CreateUpload(gone, specOf(key, "a"))
	require.ErrorIs(t, err, context.Canceled)
	spec, u, parts, _ := c.upload(t, key, "a")
	_, err = c.Bucket.UploadPart(gone, u, 1, c.body(random(1, c.PartSize)))
	require.ErrorIs(t, err, context.Canceled)
	_, err = c.Bucket.CompleteUpload(gone, spec, u, parts)
	require.ErrorIs(t, err, context.Canceled)
	c.requireNothing(t, key)
	require.NoError(t, c.Bucket.AbortUpload(t.Context(), u))
}

func (c *contract) locates(t *testing.T, key string) {
	get, err := c.Bucket.Location(t.Context(), http.MethodGet, key, time.Time{})
	require.NoError(t, err)
	head, err := c.Bucket.Location(t.Context(), http.MethodHead, key, time.Time{})
	require.NoError(t, err)
	require.Contains(t, get.URL, "/"+key+"?")
	require.Contains(t, head.URL, "/"+key+"?")
	require.NotEqual(t, get.URL, head.URL)
}
