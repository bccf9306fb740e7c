package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
)

// Bucket is the bucket of a pool.
type Bucket interface {
	// Head fails with [storage.ErrNotFound] if there is no object.
	Head(ctx context.Context, key string) (storage.Stored, error)
	// HeadMetadata returns the object as Head does, and all its user metadata.
	HeadMetadata(ctx context.Context, key string) (storage.Stored, map[string]string, error)
	// Refresh has the server copy the object with the ETag onto itself: see
	// [storage.Bucket.Refresh].
	Refresh(ctx context.Context, key, etag, copyID string, copied func(bytes int64)) (storage.Stored, error)
	Delete(ctx context.Context, key string) error
	copier.Aborter
}

// Cache holds the entries that front ends read.
type Cache interface {
	// Get returns the object's entry.
	Get(ctx context.Context, key string) (cache.Entry, error)
	// Generation returns the object's purge generation.
	Generation(ctx context.Context, key string) (int64, error)
	// Put fails with [cache.ErrPurged] if the object was purged since the given generation.
	Put(ctx context.Context, key string, generation int64, e cache.Entry) error
	// Purge deletes the entry and returns the object's new generation, which only grows.
	Purge(ctx context.Context, key string) (int64, error)
	// Abandon deletes a pending entry regardless of its owner.
	Abandon(ctx context.Context, key string) error
	// Failures counts a failure, once for a run of a workflow. It returns the number of failures in a
	// row, and of those at its end with this class. ttl ends the row.
	Failures(ctx context.Context, key, class, run string, ttl time.Duration) (cache.Row, error)
}

// Observer counts copies for metrics.
type Observer interface {
	// Copied counts a copy that was made, with the size of its object: each byte once, whether it
	// was fetched, resumed, or copied by the S3 server. A copy that the bucket already had is not
	// counted. The source is a canonical URL without a query.
	Copied(pool, source string, bytes int64, took time.Duration)
	// Failed counts a copy that failed for good. A copy that was cancelled, purged or terminated
	// did not fail. The status is the source's, or 0.
	Failed(pool, class string, status int)
	// Attempt counts an attempt of a copy that starts; again is set unless it is the first. The caller
	// calls ended when the attempt has ended.
	Attempt(pool string, again bool) (ended func())
	// AttemptFailed counts an attempt that failed, also one that only waits for its turn or hands over.
	// The status is the source's, or 0.
	AttemptFailed(pool, class string, status int)
	// Found counts a copy that the bucket had already.
	Found(pool string, bytes int64)
	// Swept counts a sweep, and the uploads that it found. A sweep that failed has an error.
	Swept(pool string, found SweepResult, err error)
	// TooSmall counts an object that is not copied because it is smaller than the minimum. It is no
	// failure.
	TooSmall(pool string)
	// HandedBack counts an attempt that ended because the copy has to wait for its turn.
	HandedBack(pool string)
	// Unmirrorable counts an object that is not copied for a while, because its copies failed in the
	// same way again and again.
	Unmirrorable(pool, class string)
	// Audited counts an audit by result. The source is a URL without its query.
	Audited(source, result string)
	// AuditPurged counts a copy that was purged because its source had changed.
	AuditPurged(source string)
	// Refreshed counts a refresh by result.
	Refreshed(pool, result string)
}

// Source describes objects at their source, for audits; see [origin.Client].
type Source interface {
	// Head describes the object by a HEAD, which is only a hint.
	Head(ctx context.Context, canonical string) (origin.Meta, error)
	// First requests the whole object by a plain GET. The caller closes the body, which may be
	// unread.
	First(ctx context.Context, canonical string) (*origin.Body, error)
}

// Owners lists running copies.
type Owners interface {
	// Running returns the short hashes (package copyid) of the pool's objects that a running workflow
	// copies or refreshes.
	Running(ctx context.Context, pool string) (map[string]bool, error)
	// Terminated reports whether the run was terminated, and is the last one of its workflow.
	Terminated(ctx context.Context, workflow, run string) (bool, error)
}

var (
	_ Source = (*origin.Client)(nil)
	_ Bucket = (*storage.Bucket)(nil)
	_ Cache  = (*cache.Redis)(nil)
)

// Activities are the activities of one pool. Every field is required, except AuditPurge.
type Activities struct {
	Pool     storage.Pool
	Bucket   Bucket
	Copier   *copier.Copier // Into Bucket
	Cache    Cache
	Space    cache.Space // Of Bucket
	Owners   Owners
	Sealer   *seal.Sealer
	Rules    cache.Rules
	Observer Observer
	Now      func() time.Time
	Source   Source // Of audits
	// AuditPurge has audits purge a copy whose source has changed.
	AuditPurge bool
}

// owner returns the owner of a copy's lease: the workflow's run.
func owner(ctx context.Context) string { return activity.GetInfo(ctx).WorkflowExecution.RunID }
