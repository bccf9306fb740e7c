package copier

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
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
	Aborter
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
}

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

// Job is one copy.
type Job struct {
	URL   string // canonical, allowed
	Meta  origin.Meta
	Input storage.ObjectSpec
	// Expect are digests that the copy must have besides the source's own.
	Expect []origin.Digest
	// Server, if set, is the object's own place in an S3 that the bucket's server may read by itself.
	Server *storage.CopySource
	// Resume is where an earlier try left off, as Checkpoint was told.
	Resume State
	// Checkpoint is told the state, from one goroutine at a time. When it returns from the first call, the state must be
	// where the next try finds it, unless ctx is over then.
	Checkpoint func(State)
	Counters   Counters
}

// State is what it takes to go on with a copy. The zero value is a copy that has to begin.
type State struct {
	Upload   string `json:"upload,omitempty"`   // its id
	PartSize int64  `json:"partSize,omitempty"` // bytes
	Stream   bool   `json:"stream,omitempty"`   // of one stream nothing can be gone on with
	// Hashed is how many parts, from the first, Hash has in it; only of a copy that has a digest.
	Hashed int32  `json:"hashed,omitempty"`
	Hash   []byte `json:"hash,omitempty"`
}

// Counters are updated while a copy runs, in bytes.
type Counters struct {
	// Waiting is not 0 while parts wait for their turn or for memory, Held is how many buffers the copy has. One that waits
	// and holds nothing can't do anything.
	Waiting, Held atomic.Int64
	// Reading is how many reads of the source are under way.
	Reading atomic.Int64
	// Fetched came from the source in this try.
	Fetched atomic.Int64
	// Read was read of buffers, to be sent to the bucket; more than once if it had to be sent again.
	Read atomic.Int64
	// Stored is what the bucket has, from earlier tries as well.
	Stored atomic.Int64
}

// The ways in which an object may be copied.
const (
	WayServer  = "copied by the S3 server"
	WayRequest = "one request"
	WayRanges  = "parallel ranges"
	WayStream  = "one stream"
)

// Result says what is in the bucket now and what it took.
type Result struct {
	storage.Stored
	Way string
	// Fetched came from the source in this try, Resumed was in the bucket before, in bytes.
	Fetched, Resumed int64
	// Restarted says why an earlier try was of no use, or the S3 server did not copy by itself.
	Restarted string
	// Unverified is set if nobody can tell whether the source sent all of it.
	Unverified bool
}

// User metadata that is known only here.
const (
	MetadataUnverified = "cloud-mirror-unverified" // marks a copy of which nobody can tell whether it is whole
	metadataChecksum   = "cloud-mirror-"           // and the checksum's name
)

// mark adds to the object's user metadata.
func (r *run) mark(name, value string) {
	r.Input.Metadata = maps.Clone(r.Input.Metadata)
	r.Input.Metadata[name] = value
}

// Run makes the copy. Its errors are those of the source ([*origin.Error]), [ErrStalled], [context.Canceled], or else the
// bucket's, wrapped in [ErrBucket].
func (c *Copier) Run(ctx context.Context, j *Job) (Result, error) {
	r := &run{Copier: c, Job: j, Input: j.Input, verifier: origin.NewVerifier(j.Expect...)}
	var err error
	if j.Server != nil && len(j.Expect)+len(j.Meta.Digests) == 0 && j.Resume.Upload == "" && !j.Resume.Stream {
		// What the server copies nobody here can hash.
		r.result.Stored, err = c.Bucket.CopyFrom(ctx, j.Input, *j.Server, func(n int64) { j.Counters.Stored.Add(n) })
		if err == nil {
			r.result.Way = WayServer
			return r.result, nil
		}
		if !errors.Is(err, storage.ErrNotCopied) {
			return Result{}, bucketError(err)
		}
		r.result.Restarted = cut(err.Error())
		j.Counters.Stored.Store(0)
	}
	switch {
	case IsSmall(j.Meta):
		err = r.small(ctx)
	case j.Meta.Rangeable():
		err = r.ranges(ctx)
		if ignoredRange(err) {
			err = r.restart(ctx, "the source answered a range with all of the object")
		}
	default:
		err = r.stream(ctx)
	}
	if err != nil {
		return Result{}, err
	}
	r.result.Fetched = j.Counters.Fetched.Load()
	return r.result, nil
}

// maxReason keeps a result short, in bytes.
const maxReason = 300

func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxReason)], "") }

// ErrBucket marks the errors of the bucket.
var ErrBucket = errors.New("bucket")

func bucketError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrBucket, err)
}

// ignoredRange tells a source that does not do what it said.
func ignoredRange(err error) bool {
	var source *origin.Error
	return errors.As(err, &source) && source.Class == origin.ClassBadHTTPStatus && source.Status == 200
}

// run is one copy under way.
type run struct {
	*Copier
	*Job
	Input    storage.ObjectSpec // the job's, and what comes to it
	verifier *origin.Verifier
	result   Result
}

// small copies an object in one request.
func (r *run) small(ctx context.Context) error {
	r.result.Way = WayRequest
	buf, err := r.buffer(ctx, r.SmallMemory, r.Meta.Size)
	if err != nil {
		return err
	}
	defer buf.release()
	body, err := r.fill(ctx, buf, func(ctx context.Context) (*origin.Body, error) {
		return r.Source.Get(ctx, r.URL, r.Meta)
	})
	if err == nil {
		err = r.check(buf)
	}
	if err != nil {
		return err
	}
	return r.put(ctx, body)
}

// check hashes a whole object.
func (r *run) check(buf *buffer) error {
	if err := buf.copyTo(r.verifier); err != nil {
		return err
	}
	return r.verify()
}

// verify compares the digests. Where the source's own are not among them, it is the request that is not met.
func (r *run) verify() error {
	err := r.verifier.Check()
	if err != nil && len(r.Expect) > 0 && (r.result.Way != WayRanges || len(r.Meta.Digests) == 0) {
		return fmt.Errorf("%w: %w", ErrExpected, err)
	}
	return err
}

// put stores a whole object. Of one that comes in parts the checksum is known when its metadata can't be changed any more:
// there the server shows it.
func (r *run) put(ctx context.Context, body storage.Body) (err error) {
	r.mark(metadataChecksum+string(r.Bucket.Checksum()), base64.StdEncoding.EncodeToString(body.Sum))
	r.result.Stored, err = r.Bucket.Put(ctx, r.Input, body)
	r.Counters.Stored.Store(r.result.Size)
	return bucketError(err)
}
