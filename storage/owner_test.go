package storage_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

const (
	owner        = "local" // of all buckets of versitygw, which enforces it
	otherOwner   = "111122223333"
	ownerHeader  = "X-Amz-Expected-Bucket-Owner"
	sourceHeader = "X-Amz-Source-Expected-Bucket-Owner"
)

// operations returns the operations of S3 that this package's code sends, except presigned ones.
func operations(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	found := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		code, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`\bs3\.(\w+)Input\{`).FindAllStringSubmatch(string(code), -1) {
			found[m[1]] = true
		}
	}
	delete(found, "GetObject") // Only presigned; see TestLocationHasNoOwner
	return slices.Sorted(maps.Keys(found))
}

// sentOwners records the headers with owners of each operation that is sent.
type sentOwners struct {
	mu   sync.Mutex
	sent map[string][]http.Header
	// fields has each operation with an owner in its input.
	fields map[string]bool
}

// record is an APIOption that records every request.
func (s *sentOwners) record(stack *middleware.Stack) error {
	err := stack.Initialize.Add(middleware.InitializeMiddlewareFunc("RecordFields", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		s.mu.Lock()
		_, has := reflect.TypeOf(in.Parameters).Elem().FieldByName("ExpectedBucketOwner")
		s.fields[awsmiddleware.GetOperationName(ctx)] = has
		s.mu.Unlock()
		return next.HandleInitialize(ctx, in)
	}), middleware.After)
	if err != nil {
		return err
	}
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("RecordHeaders", func(
		ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
	) (middleware.FinalizeOutput, middleware.Metadata, error) {
		s.mu.Lock()
		op := awsmiddleware.GetOperationName(ctx)
		s.sent[op] = append(s.sent[op], in.Request.(interface {
			Build(context.Context) *http.Request
		}).Build(ctx).Header)
		s.mu.Unlock()
		return next.HandleFinalize(ctx, in)
	}), middleware.After)
}

// sendAll makes every call of the bucket.
func sendAll(t *testing.T, f *faultyBucket) {
	t.Helper()
	for _, days := range []int{7, 0} {
		pool := f.pool
		pool.Lifespan, pool.CORS = time.Duration(days)*day, days > 0
		_, err := storage.Open(f.cfg, pool).Setup(t.Context(), false)
		require.NoError(t, err)
	}
	_, err := f.ListUploads(t.Context(), "")
	require.NoError(t, err)
	body := []byte(strings.Repeat("a copy in parts. ", 1<<19))
	stored, err := f.Put(t.Context(), copyOf("host/hash/name", "a"), f.Checksum().Body(body))
	require.NoError(t, err)
	for _, limit := range []int64{1 << 30, storage.MinPartSize} {
		f.SetCopyLimit(limit)
		stored, err = f.Refresh(t.Context(), "host/hash/name", stored.ETag, fmt.Sprint(limit), func(int64) {})
		require.NoError(t, err)
	}
	for key, err := range f.Keys(t.Context(), "host/") {
		require.NoError(t, err)
		require.NoError(t, f.Delete(t.Context(), key))
	}
}

func TestEveryRequestNamesTheBucketsOwner(t *testing.T) {
	for _, configured := range []bool{true, false} {
		t.Run(fmt.Sprint(configured), func(t *testing.T) {
			s := servers(t)[0]
			s.Bucket = fmt.Sprintf("owner-%d", time.Now().UnixNano())
			recorded := &sentOwners{sent: map[string][]http.Header{}, fields: map[string]bool{}}
			f := newFaultyBucket(t, s, func(p *storage.Pool) {
				if configured {
					p.Owners = map[string]string{p.Bucket: owner}
				}
			})
			rules := &lifecycleOfS3{noAborts: true}
			missing := true // until the first setup creates it
			f.Reply = func(w http.ResponseWriter, r *http.Request) bool {
				if missing && storagetest.Call(r) == storagetest.CallHead && strings.Trim(r.URL.Path, "/") == s.Bucket {
					w.WriteHeader(http.StatusNotFound)
					missing = false
					return true
				}
				return rules.reply(w, r)
			}
			f.cfg.APIOptions = append(f.cfg.APIOptions, recorded.record)
			f.Bucket = storage.Open(f.cfg, f.pool)
			sendAll(t, f)
			require.Equal(t, operations(t), slices.Sorted(maps.Keys(recorded.sent)), "operations that were sent")
			for op, requests := range recorded.sent {
				for _, header := range requests {
					want := ""
					if configured && recorded.fields[op] {
						want = owner
						require.Contains(t, header.Get("Authorization"), strings.ToLower(ownerHeader), "the signature of %s", op)
					}
					require.Equal(t, want, header.Get(ownerHeader), op)
					want = ""
					if configured && (op == "CopyObject" || op == "UploadPartCopy") {
						want = owner
					}
					require.Equal(t, want, header.Get(sourceHeader), op)
				}
			}
			without := slices.DeleteFunc(operations(t), func(op string) bool { return recorded.fields[op] })
			require.Equal(t, []string{"CreateBucket"}, without, "operations that can't name an owner")
		})
	}
}

// A source in a bucket of others must not be expected to have our owner.
func TestCopyFromExpectsNoOwnerOfForeignBuckets(t *testing.T) {
	s := servers(t)[0]
	for _, owned := range []bool{false, true} {
		source := newFaultyBucket(t, server{s.name, s.Config, withBucket(s.Pool, "foreign")}, nil)
		stored, err := source.Put(t.Context(), copyOf("key", fmt.Sprint(owned)), source.Checksum().Body([]byte("foreign bytes")))
		require.NoError(t, err)
		f := newFaultyBucket(t, server{s.name, s.Config, withBucket(s.Pool, "ours")}, func(p *storage.Pool) {
			p.Owners = map[string]string{p.Bucket: owner}
			if owned {
				p.Owners[source.pool.Bucket] = owner
			}
		})
		var mu sync.Mutex
		seen := map[string]string{}
		f.Request = func(r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			call := storagetest.Call(r)
			if strings.Contains(r.URL.Path, source.pool.Bucket+"/") {
				call = "head of the source"
			}
			seen[call] = r.Header.Get(ownerHeader) + " " + r.Header.Get(sourceHeader)
			return true
		}
		_, err = f.CopyFrom(t.Context(), copyOf("copy", "b"), storage.CopySource{
			Bucket: source.pool.Bucket, Key: "key", ETag: stored.ETag, Size: stored.Size,
		}, func(int64) {})
		require.NoError(t, err)
		want := ""
		if owned {
			want = owner
		}
		require.Equal(t, want+" ", seen["head of the source"])
		require.Equal(t, owner+" "+want, seen[storagetest.CallCopy])
		require.NoError(t, f.Delete(t.Context(), "copy"))
		require.NoError(t, source.Delete(t.Context(), "key"))
	}
}

func withBucket(p storage.Pool, prefix string) storage.Pool {
	p.Bucket = fmt.Sprintf("%s-%d", prefix, time.Now().UnixNano())
	return p
}

// Clients of a presigned URL would have to send the header.
func TestLocationHasNoOwner(t *testing.T) {
	_, pool := realPool(t)
	s := servers(t)[0]
	pool.Owners = map[string]string{pool.Bucket: owner}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		at, err := storage.Open(s.Config, pool).Location(t.Context(), method, "host/hash/name", time.Time{})
		require.NoError(t, err)
		require.Contains(t, at.URL, "X-Amz-SignedHeaders=host&")
		require.NotContains(t, strings.ToLower(at.URL), "bucket-owner")
	}
}

func TestSetupReportsAnotherOwner(t *testing.T) {
	s := servers(t)[0]
	f := newFaultyBucket(t, s, func(p *storage.Pool) { p.Owners = map[string]string{p.Bucket: otherOwner} })
	requests := 0
	f.Request = func(*http.Request) bool {
		requests++
		return true
	}
	for _, dryRun := range []bool{true, false} {
		lines, err := f.Setup(t.Context(), dryRun)
		require.Empty(t, lines)
		require.ErrorContains(t, err, "bucket "+f.pool.Bucket+": another account than bucket_owner, "+otherOwner+", owns it: ")
		require.NotContains(t, err.Error(), "lack")
	}
	require.Equal(t, 4, requests, "setup HEADs the bucket with and without the owner, and no more")
	const reason = ": another account than bucket_owner, 111122223333, owns the bucket, or the credentials lack "
	_, err := f.Head(t.Context(), "host/hash/name")
	require.NotErrorIs(t, err, storage.ErrNotFound)
	require.Equal(t, 1, strings.Count(err.Error(), reason), err.Error())
	_, err = f.Put(t.Context(), copyOf("host/hash/name", ours), f.Checksum().Body([]byte("bytes")))
	require.ErrorContains(t, err, reason)
	require.Nil(t, f.read(t, "host/hash/name"), "a copy in a foreign bucket")

	f.pool.Owners = map[string]string{f.pool.Bucket: owner} // control
	f.Bucket = storage.Open(f.cfg, f.pool)
	_, err = f.Setup(t.Context(), false)
	require.NoError(t, err)
	_, err = f.Put(t.Context(), copyOf("host/hash/name", ours), f.Checksum().Body([]byte("bytes")))
	require.NoError(t, err)
	require.NotNil(t, f.read(t, "host/hash/name"))
	require.NoError(t, f.Delete(t.Context(), "host/hash/name"))
}
