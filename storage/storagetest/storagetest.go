package storagetest

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// Bucket is what is under contract.
type Bucket interface {
	Head(ctx context.Context, key string) (storage.Stored, error)
	Checksum() storage.Checksum
	Put(ctx context.Context, spec storage.ObjectSpec, body storage.Body) (storage.Stored, error)
	CreateUpload(ctx context.Context, spec storage.ObjectSpec) (storage.Upload, error)
	UploadPart(ctx context.Context, u storage.Upload, number int32, body storage.Body) (storage.Part, error)
	ListParts(ctx context.Context, u storage.Upload) ([]storage.Part, error)
	CompleteUpload(ctx context.Context, spec storage.ObjectSpec, u storage.Upload, parts []storage.Part) (storage.Stored, error)
	AbortUpload(ctx context.Context, u storage.Upload) error
	ListUploads(ctx context.Context, prefix string) ([]storage.Upload, error)
	Delete(ctx context.Context, key string) error
	Location(ctx context.Context, method, key string, expires time.Time) (storage.Location, error)
}

var (
	_ Bucket = (*Memory)(nil)
	_ Bucket = (*storage.Bucket)(nil)
)

// Fixture is a bucket and how to see past its interface.
type Fixture struct {
	Bucket Bucket
	// PartSize is the least that the bucket takes, but for a last part.
	PartSize int
	// Read returns what is stored under a key.
	Read func(t *testing.T, key string) (body []byte)
}

// contract is one run of the suite.
type contract struct {
	Fixture
	prefix string
	keys   int
}

// Run checks the contract. Every case uses keys of its own.
func Run(t *testing.T, f Fixture) {
	t.Helper()
	c := &contract{Fixture: f, prefix: "host/" + strconv.FormatInt(time.Now().UnixNano(), 36) + "/"}
	for name, test := range map[string]func(t *testing.T, key string){
		"a put stores exactly its bytes":                          c.puts,
		"a put replaces only what it was told to":                 c.putsConditionally,
		"bytes without their checksum are not stored":             c.refusesOtherBytes,
		"an upload stores exactly its parts":                      c.uploads,
		"an upload replaces only what it was told to":             c.uploadsConditionally,
		"parts are listed, and replaced by number":                c.listsParts,
		"an upload with a part missing or exchanged is not done":  c.refusesOtherParts,
		"an aborted upload is gone, and aborting is idempotent":   c.aborts,
		"an upload shows nothing before it is completed":          c.showsNothing,
		"an upload that is completed is gone":                     c.completesOnce,
		"deleting is idempotent":                                  c.deletes,
		"a caller that is gone is told so, and nothing is stored": c.notices,
		"a location names its object, by method":                  c.locates,
	} {
		c.keys++
		key := c.prefix + strconv.Itoa(c.keys)
		t.Run(name, func(t *testing.T) { test(t, key) })
	}
}

// random returns bytes that differ from one seed to the next; which they are makes no difference to the code.
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
		Metadata:        map[string]string{storage.MetadataGeneration: "42", storage.MetadataCopyID: copyID},
	}
}

// requireStored checks what a call said it stored, what Head says, and what is there.
func (c *contract) requireStored(t *testing.T, key string, want []byte, said storage.Stored) {
	t.Helper()
	head, err := c.Bucket.Head(t.Context(), key)
	require.NoError(t, err)
	said.Expires, head.Expires = time.Time{}, time.Time{}
	require.Equal(t, said, head)
	require.EqualValues(t, len(want), head.Size)
	require.EqualValues(t, 42, head.Generation)
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
		_, err := io.Copy(io.Discard, sent) // wherever it stands, it is sent from its start
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
	if err != nil { // it finds that it has been done
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

// upload creates one of three parts, the last being small, and returns them.
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
		"another checksum": lied,
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
	_, err = c.Bucket.UploadPart(t.Context(), u, 1, c.body(random(3, 1000))) // of more a server may not want to read all
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
