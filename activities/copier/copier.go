package copier

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// ErrStalled reports a source that sends nothing, or too little.
var ErrStalled = errors.New("the source stalled")

// ErrTooSlow reports a source that stays below the minimum average rate.
var ErrTooSlow = errors.New("the source is too slow")

// ErrBucket marks errors of the bucket.
var ErrBucket = errors.New("bucket")

func bucketError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrBucket, err)
}

// Fetcher reads objects from sources. Its errors are [*origin.Error] or the context's. The caller
// closes the body.
type Fetcher interface {
	First(ctx context.Context, url string) (*origin.Body, error)
	Get(ctx context.Context, url string) (*origin.Body, error)
	Reserve(ctx context.Context, url string, want origin.Meta) (*origin.Place, error)
	GetRange(ctx context.Context, url string, want origin.Meta, off, n int64) (*origin.Body, error)
}

// Objects stores an object in one request; see [storage.Bucket].
type Objects interface {
	Checksum() storage.Checksum
	Put(ctx context.Context, in storage.ObjectSpec, body storage.Body) (storage.Stored, error)
	CopyFrom(ctx context.Context, in storage.ObjectSpec, src storage.CopySource, copied func(bytes int64)) (storage.Stored, error)
}

// Uploads stores an object in parts; see [storage.Bucket].
type Uploads interface {
	CreateUpload(ctx context.Context, in storage.ObjectSpec) (storage.Upload, error)
	UploadPart(ctx context.Context, u storage.Upload, number int32, body storage.Body) (storage.Part, error)
	ListParts(ctx context.Context, u storage.Upload) ([]storage.Part, error)
	CompleteUpload(ctx context.Context, in storage.ObjectSpec, u storage.Upload, parts []storage.Part) (storage.Stored, error)
}

// Aborter cleans up after multipart uploads; see [storage.Bucket].
type Aborter interface {
	ListUploads(ctx context.Context, prefix string) ([]storage.Upload, error)
	AbortUpload(ctx context.Context, u storage.Upload) error
}

// Bucket receives copies.
type Bucket interface {
	Objects
	Uploads
	Aborter
}

var (
	_ Fetcher = (*origin.Client)(nil)
	_ Bucket  = (*storage.Bucket)(nil)
)

// Copier makes the copies of one pool. Every field is required unless its comment says otherwise. It
// is safe for concurrent use.
type Copier struct {
	Source Fetcher
	Bucket Bucket
	// SmallMemory is for objects that are copied in one request, Memory for the parts of other
	// objects.
	SmallMemory, Memory *Memory
	// PartSize is the size of a part, in bytes, except for medium and huge objects: see partSize.
	PartSize int64
	// Parts is the limit of parts of one copy that are in flight.
	Parts int
	// Slots, if set, bounds the copies of the pool that run with the first request, and LargeSlots
	// those of large objects.
	Slots, LargeSlots *Budget
	// MaxParts, if set, bounds the parts of all copies of the pool that are in flight.
	MaxParts *semaphore.Weighted
	// StallTimeout is the period in which a source must send MinRate bytes a second on average, and
	// at least one byte.
	StallTimeout time.Duration
	MinRate      int64
	// MinAverageRate is the least average rate of a copy, in bytes a second; 0 is no limit. The caller
	// enforces it by [Counters.Connected] and [Copier.KeepsOut], and ends the copy with [ErrTooSlow] as
	// the cause.
	MinAverageRate int64
	// MaxSize is the largest object that is copied, in bytes. 0 is no limit but S3's own.
	MaxSize int64
	// SpoolDir is the directory for parts that are larger than the largest buffer.
	SpoolDir string
	// Spool, if set, bounds the bytes in SpoolDir.
	Spool *Budget
	// AllowUnverified accepts bodies that neither a length nor chunking proves complete.
	AllowUnverified bool

	firsts atomic.Int64 // Copies that run or wait with the first request
}

// KeepsOut reports whether a copy from another host waits for a slot, memory or disk of the kind that
// a running copy uses.
func (c *Copier) KeepsOut(j *Job) bool {
	host := j.host.Load()
	switch {
	case host == nil:
		return false
	case j.First:
		return c.Slots.keepsOut(*host) || c.SmallMemory.shared.keepsOut(*host)
	default:
		return c.LargeSlots.keepsOut(*host) || c.Memory.shared.keepsOut(*host) || c.Spool.keepsOut(*host)
	}
}

// TasksPerSlot is how many tasks a worker accepts for each slot of a copier. Copies that wait for
// memory, for a connection or for a slot take most of the others. A quarter of them is left to
// activities that are brief.
const TasksPerSlot = 4

// Run makes the copy. Its errors are the source's ([*origin.Error]), [ErrStalled], [ErrTurn],
// [context.Canceled], or the bucket's, wrapped in [ErrBucket].
func (c *Copier) Run(ctx context.Context, j *Job) (Result, error) {
	if j.First {
		defer c.firsts.Add(-1)
		if n := c.firsts.Add(1); c.Slots != nil && n > (TasksPerSlot-1)*c.Slots.total {
			return Result{}, fmt.Errorf("%w: %d copies run or wait already", ErrTurn, n-1)
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &run{copier: c, job: j, resume: j.Resume, verifier: origin.NewVerifier()}
	r.claim = Claim{
		Host: j.Meta.Host(j.URL), Since: time.Now(), Cancel: cancel, Brief: j.First, Restarts: r.streaming.Load,
	}
	defer func() { r.slot.Release() }()
	j.Counters.Size.Store(j.Meta.Size)
	run := r.copyLarge
	if j.First {
		run = r.copyFirst
	}
	if err := run(ctx); err != nil {
		if turn := context.Cause(ctx); errors.Is(turn, ErrTurn) {
			err = turn // The copy was ended so that it gives back its holds
		}
		return Result{}, err
	}
	r.result.SHA256, r.result.Fetched = r.sha256(), j.Counters.Fetched.Load()
	return r.result, nil
}
