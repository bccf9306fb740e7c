package copier

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// ErrStalled is returned for a source that sends nothing, or too little.
var ErrStalled = errors.New("the source stalled")

// ErrExpected is returned for a source that does not have the digests of [Job.Expect], as far as they can be told from
// its own.
var ErrExpected = errors.New("the source does not have the digest that the request expects")

// ErrBucket marks the errors of the bucket.
var ErrBucket = errors.New("bucket")

func bucketError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrBucket, err)
}

// Fetcher is where objects come from. Its errors are [*origin.Error] or the context's.
type Fetcher interface {
	Get(ctx context.Context, url string, want origin.Meta) (*origin.Body, error)
	GetRange(ctx context.Context, url string, want origin.Meta, off, n int64) (*origin.Body, error)
}

// Objects is the bucket, as far as objects in one request go; see [storage.Bucket].
type Objects interface {
	Checksum() storage.Checksum
	Put(ctx context.Context, in storage.ObjectSpec, body storage.Body) (storage.Stored, error)
	CopyFrom(ctx context.Context, in storage.ObjectSpec, src storage.CopySource, copied func(bytes int64)) (storage.Stored, error)
}

// Uploads are the bucket's multipart uploads; see [storage.Bucket].
type Uploads interface {
	CreateUpload(ctx context.Context, in storage.ObjectSpec) (storage.Upload, error)
	UploadPart(ctx context.Context, u storage.Upload, number int32, body storage.Body) (storage.Part, error)
	ListParts(ctx context.Context, u storage.Upload) ([]storage.Part, error)
	CompleteUpload(ctx context.Context, in storage.ObjectSpec, u storage.Upload, parts []storage.Part) (storage.Stored, error)
}

// Aborter is what it takes to clean up after uploads.
type Aborter interface {
	ListUploads(ctx context.Context, prefix string) ([]storage.Upload, error)
	AbortUpload(ctx context.Context, u storage.Upload) error
}

// Bucket is where copies go.
type Bucket interface {
	Objects
	Uploads
	Aborter
}

var (
	_ Fetcher = (*origin.Client)(nil)
	_ Bucket  = (*storage.Bucket)(nil)
)

// Copier makes the copies of one pool. Every field but Limit and Unverified must be set. It is safe for concurrent use.
type Copier struct {
	Source Fetcher
	Bucket Bucket
	// SmallMemory is for objects that are one request, Memory for the parts of the others.
	SmallMemory, Memory *Memory
	// PartSize is that of a part, in bytes, of objects that are neither small nor huge.
	PartSize int64
	// Parts is how many parts of one copy are under way at most.
	Parts int
	// Limit, if set, bounds the parts of all copies of the pool that are under way.
	Limit *semaphore.Weighted
	// StallTimeout is the time in which a source must send at least MinRate bytes a second, and one byte.
	StallTimeout time.Duration
	MinRate      int64
	// SpoolDir is where parts are kept that are larger than a buffer.
	SpoolDir string
	// AllowUnverified lets bodies pass of which nobody can tell whether they are whole.
	AllowUnverified bool
}

// Run makes the copy. Its errors are those of the source ([*origin.Error]), [ErrStalled], [context.Canceled], or else the
// bucket's, wrapped in [ErrBucket].
func (c *Copier) Run(ctx context.Context, j *Job) (Result, error) {
	r := &run{copier: c, job: j, spec: j.Spec, resume: j.Resume, verifier: origin.NewVerifier(j.Expect...)}
	if r.serverMayCopy() {
		copied, err := r.copyByServer(ctx)
		if err != nil {
			return Result{}, err
		}
		if copied {
			return r.result, nil
		}
	}
	if err := r.copyBytes(ctx); err != nil {
		return Result{}, err
	}
	r.result.Fetched = j.Counters.Fetched.Load()
	return r.result, nil
}
