package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// beat is how often a running copy heartbeats, and so how soon it learns that it was cancelled.
const beat = time.Second

// bucketPatience is how many times as long as a source a bucket may take nothing.
const bucketPatience = 10

// StreamCopy copies the source's bytes into the bucket. What is stored is exactly what HeadSource saw, or nothing.
func (a *Activities) StreamCopy(ctx context.Context, in StreamCopyInput) (Copy, error) {
	start := a.Now()
	stored, err := a.streamCopy(ctx, in)
	if err != nil {
		return Copy{}, outcome(ctx, err)
	}
	a.Observer.Copied(in.Source.Pool(), stored.Size, a.Now().Sub(start))
	return Copy{Size: stored.Size, CRC64NVME: stored.CRC64NVME, Expires: stored.Expires}, nil
}

func (a *Activities) streamCopy(ctx context.Context, in StreamCopyInput) (storage.Stored, error) {
	object, err := a.Sealer.Open(in.Source)
	if err != nil {
		return storage.Stored{}, err
	}
	t := &transfer{a: a, in: in, key: cache.Key(object.PoolID(), object.Hash())}
	ctx, stop := t.watch(ctx)
	defer stop()

	free, err := a.Memory.Take(ctx, storage.UploadMemory(in.Meta.Size, a.PartSize))
	if err != nil {
		return storage.Stored{}, cause(ctx, err)
	}
	defer free()
	t.begun.Store(true)
	t.reading.Store(true)
	body, err := a.Origin.Get(ctx, object.URL, in.Meta)
	t.reading.Store(false)
	if err != nil {
		return storage.Stored{}, cause(ctx, err)
	}
	defer body.Close()
	stored, err := a.Bucket.Upload(ctx, storage.UploadInput{
		Key:                object.Key(),
		Body:               &source{r: body, t: t},
		Size:               in.Meta.Size,
		ContentType:        contentType(in.Meta.ContentType),
		ContentEncoding:    headerSafe(in.Meta.ContentEncoding),
		ContentDisposition: headerSafe(in.Meta.ContentDisposition),
		ContentLanguage:    headerSafe(in.Meta.ContentLanguage),
		Metadata:           metadata(in, activity.GetInfo(ctx).WorkflowExecution.ID, a.Now()),
		Progress:           t.stored.Store,
	})
	if err != nil {
		return storage.Stored{}, cause(ctx, fmt.Errorf("%w: %w", errStorage, err))
	}
	return stored, nil
}

func contentType(s string) string {
	if s = headerSafe(s); s == "" {
		return "application/octet-stream"
	}
	return s
}

// cause is why ctx is over, if that is why the copy failed.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil && !errors.Is(c, context.Canceled) {
		return c
	}
	return err
}

// transfer is one running copy, as seen by those who wait for it: it heartbeats, renews the lease while there is
// progress, and ends a copy that stalls or was purged.
type transfer struct {
	a   *Activities
	in  StreamCopyInput
	key string

	begun        atomic.Bool  // false while it waits for memory
	reading      atomic.Bool  // it waits for the source now
	read, stored atomic.Int64 // bytes
}

// watch returns the context of the copy. Its cause tells a stall and a purge from a cancellation.
func (t *transfer) watch(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		cancel(t.run(ctx))
	}()
	return ctx, func() {
		cancel(nil)
		<-done
	}
}

func (t *transfer) run(ctx context.Context) error {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	moved, renewed := t.a.Now(), t.a.Now()
	var last int64
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-activity.GetWorkerStopChannel(ctx):
			return errHandover
		case <-ticker.C:
		}
		activity.RecordHeartbeat(ctx, Progress{Done: t.stored.Load(), Total: t.in.Meta.Size})
		now := t.a.Now()
		if n := t.read.Load() + t.stored.Load(); n != last || !t.begun.Load() {
			last, moved = n, now
		}
		if err := t.stalled(now.Sub(moved)); err != nil {
			return err
		}
		// Renewed three times in a lease's time, as long as something moved since or the bucket has the last word: to
		// complete a large object takes it minutes.
		if now.Sub(renewed) < t.a.Rules.Lease/3 || moved.Before(renewed) && t.reading.Load() {
			continue
		}
		renewed = now
		if err := t.renew(ctx, now); err != nil {
			return err
		}
	}
}

// stalled tells the two that a copy waits for from each other. The bucket has more time: a part shows no progress before
// all of it is stored.
func (t *transfer) stalled(since time.Duration) error {
	switch {
	case since > t.a.Stall && t.reading.Load():
		return fmt.Errorf("%w: for %s, after %d of %d bytes", errStalled, since.Round(time.Second), t.read.Load(), t.in.Meta.Size)
	case since > bucketPatience*t.a.Stall:
		return fmt.Errorf("%w: for %s, after %d of %d bytes", errBucketStalled, since.Round(time.Second), t.stored.Load(), t.in.Meta.Size)
	default:
		return nil
	}
}

// renew fails only with [cache.ErrPurged]: redis being down is no reason to stop a copy.
func (t *transfer) renew(ctx context.Context, now time.Time) error {
	entry := t.a.Rules.Pending(now, owner(ctx), t.stored.Load(), t.in.Meta.Size)
	err := t.a.Cache.Put(ctx, t.key, t.in.Generation, entry)
	if errors.Is(err, cache.ErrPurged) {
		return err
	}
	if err != nil && ctx.Err() == nil {
		activity.GetLogger(ctx).Warn("lease not renewed", "error", err)
	}
	return nil
}

// source is the body that is copied.
type source struct {
	r io.Reader
	t *transfer
}

func (s *source) Read(p []byte) (int, error) {
	s.t.reading.Store(true)
	defer s.t.reading.Store(false)
	n, err := s.r.Read(p)
	s.t.read.Add(int64(n))
	return n, err
}
