package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// Origin looks at sources. Its errors are [*origin.Error] or the context's.
type Origin interface {
	Head(ctx context.Context, url string) (origin.Meta, error)
}

// Bucket is where a pool's copies stand. Head fails with [storage.ErrNotFound].
type Bucket interface {
	Head(ctx context.Context, key string) (storage.Stored, error)
	Delete(ctx context.Context, key string) error
	copier.Aborter
}

// Cache is where front ends look. Put fails with [cache.ErrPurged] after a purge.
type Cache interface {
	Generation(ctx context.Context, key string) (int64, error)
	Put(ctx context.Context, key string, generation int64, e cache.Entry) error
	Abandon(ctx context.Context, key string) error
	Failures(ctx context.Context, key string) (int64, error)
}

// Observer is told what copies cost.
type Observer interface {
	Copied(pool string, bytes int64, took time.Duration)
	Failed(pool, class string)
}

// Owners tells which copies are running.
type Owners interface {
	// Running returns the hashes ([storage.Object.Hash]) of the pool's objects that a running workflow copies.
	Running(ctx context.Context, pool string) (map[string]bool, error)
}

var (
	_ Origin = (*origin.Client)(nil)
	_ Bucket = (*storage.Bucket)(nil)
	_ Cache  = (*cache.Redis)(nil)
)

// Activities are the activities of one pool. Every field must be set.
type Activities struct {
	Pool     storage.Pool
	Origin   Origin
	Bucket   Bucket
	Copier   *copier.Copier // from such an origin into such a bucket
	Cache    Cache
	Owners   Owners
	Sealer   *Sealer
	Rules    cache.Rules
	Observer Observer
	Now      func() time.Time
}

func owner(ctx context.Context) string { return activity.GetInfo(ctx).WorkflowExecution.RunID }
