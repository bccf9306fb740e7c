package storage_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// sources holds a small object and one of three parts, by the call that completes their copies.
type sources map[string]source

type source struct {
	storage.CopySource
	bucket *storage.Bucket
	body   []byte
}

func sourcesOn(t *testing.T, s server) sources {
	t.Helper()
	s.Bucket += "-source"
	bucket := newFaultyBucket(t, s, nil).directBucket
	var seed [32]byte
	binary.NativeEndian.PutUint64(seed[:], uint64(time.Now().UnixNano()))
	t.Logf("seed %x", seed)
	random, all := rand.NewChaCha8(seed), sources{}
	for call, size := range map[string]int{
		storagetest.CallCopy: 100_000, storagetest.CallComplete: 2*storage.MinPartSize + 12_345,
	} {
		src := source{bucket: bucket, body: make([]byte, size)}
		_, _ = random.Read(src.body)
		// The key has every character that needs escaping somewhere.
		src.CopySource = storage.CopySource{
			Bucket: s.Bucket, Key: call + "/a b+c%2Fd&e=f?g#h\u00fc~'()*.bin", Region: s.Pool.Region, Size: int64(size),
		}
		src.put(t, src.body)
		all[call] = src
	}
	return all
}

// put stores the bytes as the source, in place of the earlier ones.
func (s *source) put(t *testing.T, body []byte) {
	t.Helper()
	spec := storage.ObjectSpec{
		Key: s.Key, ContentType: "text/source", ContentEncoding: "source", ContentDisposition: "inline", ContentLanguage: "la",
		Metadata: map[string]string{"source": "yes", storage.MetadataCopyID: "source"},
	}
	if existing, err := s.bucket.Head(t.Context(), s.Key); err == nil {
		spec.Replaces = existing.ETag
	}
	stored, err := s.bucket.Put(t.Context(), spec, s.bucket.Checksum().Body(body))
	require.NoError(t, err)
	s.ETag = stored.ETag
}

// serverCopy is an attempt by CopyFrom.
type serverCopy struct {
	attempt
	src    source
	copied atomic.Int64 // bytes that CopyFrom reported
}

func (s source) newCopy(t *testing.T, on server, call, key string, change func(*storage.Pool)) *serverCopy {
	t.Helper()
	c := &serverCopy{src: s}
	c.faultyBucket, c.call, c.spec, c.body = newFaultyBucket(t, on, change), call, copyOf(key, ours), s.body
	c.SetCopyLimit(storage.MinPartSize)
	c.run = func(ctx context.Context) (storage.Stored, error) {
		return c.CopyFrom(ctx, c.spec, c.src.CopySource, func(n int64) { c.copied.Add(n) })
	}
	return c
}

// requireOurs checks the stored object. It must have the bytes of the source and none of its
// headers.
func (c *serverCopy) requireOurs(t *testing.T) {
	t.Helper()
	require.Equal(t, ours, c.existing(t))
	out, err := c.directClient.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket: &c.pool.Bucket, Key: &c.spec.Key, ChecksumMode: "ENABLED",
	})
	require.NoError(t, err)
	require.Equal(t, c.spec.ContentType, aws.ToString(out.ContentType))
	require.Equal(t, c.spec.ContentEncoding, aws.ToString(out.ContentEncoding))
	require.Equal(t, c.spec.ContentDisposition, aws.ToString(out.ContentDisposition))
	require.Equal(t, c.spec.ContentLanguage, aws.ToString(out.ContentLanguage))
	require.Equal(t, c.spec.Metadata, out.Metadata)
	if out.ChecksumCRC64NVME != nil {
		sum := base64.StdEncoding.EncodeToString(storage.ChecksumCRC64NVME.Body(c.body).Sum)
		require.Equal(t, sum, *out.ChecksumCRC64NVME)
	}
}

func TestServerCopies(t *testing.T) {
	for _, s := range servers(t) {
		all := sourcesOn(t, s)
		for name, change := range map[string]func(*storage.Pool){
			"":                 nil,
			" with md5":        func(p *storage.Pool) { p.Checksum = storage.ChecksumMD5 },
			" with signatures": func(p *storage.Pool) { p.SignPayload = true },
			" overwriting":     func(p *storage.Pool) { p.Overwrite = true },
		} {
			for call, src := range all {
				t.Run(s.name+name+", "+call, func(t *testing.T) {
					c := src.newCopy(t, s, call, call+name, change)
					var calls sync.Map
					c.Request = func(r *http.Request) bool { calls.Store(r.URL.RequestURI(), storagetest.Call(r)); return true }
					if c.pool.Overwrite {
						require.NoError(t, c.storeOther())
					}
					stored, err := c.run(t.Context())
					require.NoError(t, err)
					c.requireOurs(t)
					head, err := c.directBucket.Head(t.Context(), c.spec.Key)
					require.NoError(t, err)
					require.Equal(t, head, stored)
					require.Empty(t, c.uploads(t, c.spec.Key))
					require.Less(t, c.Largest(), int64(8<<10), "the bytes passed through this process")
					want := map[string]int{storagetest.CallCopy: 1}
					if call == storagetest.CallComplete {
						require.Equal(t, src.Size, c.copied.Load(), "progress")
						want = map[string]int{storagetest.CallCreate: 1, storagetest.CallPartCopy: 3, storagetest.CallComplete: 1}
					}
					got := map[string]int{}
					calls.Range(func(_, call any) bool { got[call.(string)]++; return true })
					delete(got, storagetest.CallHead)
					require.Equal(t, want, got)
				})
			}
		}
	}
}
