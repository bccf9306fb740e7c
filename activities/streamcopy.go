package activities

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"go.temporal.io/sdk/activity"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// errDigest is a source that is not what the request expects.
var errDigest = errors.New("the source does not have the SHA-256 that the request expects")

// StreamCopy copies the source's bytes into the bucket. What is stored is exactly what HeadSource saw, or nothing. It goes
// on where an earlier attempt left off, and leaves the upload to the next one if it fails itself: AbortUpload is for when
// there will be none.
func (a *Activities) StreamCopy(ctx context.Context, in StreamCopyInput) (Copy, error) {
	start := a.Now()
	t := &transfer{a: a, in: in}
	out, err := a.streamCopy(ctx, t)
	if err != nil {
		return Copy{}, outcome(ctx, err, t.progress())
	}
	a.Observer.Copied(in.Source.Pool(), out.Size, a.Now().Sub(start))
	return out, nil
}

func (a *Activities) streamCopy(ctx context.Context, t *transfer) (Copy, error) {
	object, err := a.Sealer.Open(t.in.Source)
	if err != nil {
		return Copy{}, err
	}
	t.key = cache.Key(object.PoolID(), object.Hash())
	t.job, err = a.job(ctx, t, object)
	if err != nil {
		return Copy{}, err
	}
	if t.job.Resume.Upload != "" || activity.GetInfo(ctx).Attempt > 1 {
		if there, err := a.there(ctx, t); err != nil || there != nil {
			return *orZero(there), err
		}
	}
	ctx, stop := t.watch(ctx)
	defer stop()
	r, err := a.Copier.Run(ctx, t.job)
	var source *origin.Error
	switch {
	case errors.As(err, &source) && source.Class == origin.ClassCorrupt && t.in.SHA256 != "" && len(t.in.Meta.Digests) == 0:
		return Copy{}, fmt.Errorf("%w: %w", errDigest, err)
	case err != nil:
		return Copy{}, cause(ctx, err)
	}
	return Copy{
		Size: r.Size, CRC64NVME: r.CRC64NVME, Expires: r.Expires,
		Way: r.Way, Fetched: r.Fetched, Resumed: r.Resumed, Restarted: r.Restarted, Unverified: r.Unverified,
	}, nil
}

func orZero(c *Copy) *Copy {
	if c == nil {
		return &Copy{}
	}
	return c
}

func (a *Activities) job(ctx context.Context, t *transfer, object storage.Object) (*copier.Job, error) {
	in := t.in
	job := &copier.Job{
		URL:  object.URL,
		Meta: in.Meta,
		Input: storage.Input{
			Key:                object.Key(),
			ContentType:        contentType(in.Meta.ContentType),
			ContentEncoding:    headerSafe(in.Meta.ContentEncoding),
			ContentDisposition: headerSafe(in.Meta.ContentDisposition),
			ContentLanguage:    headerSafe(in.Meta.ContentLanguage),
			Metadata:           metadata(in, activity.GetInfo(ctx).WorkflowExecution.ID, a.Now()),
			Replaces:           in.Replaces,
		},
		Resume: in.Resume,
	}
	var last Progress
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &last) == nil {
		job.Resume = last.Resume
	}
	if in.SHA256 != "" {
		sum, err := hex.DecodeString(in.SHA256)
		if err != nil {
			return nil, fmt.Errorf("expected SHA-256: %w", err)
		}
		job.Expect = []origin.Digest{{Algorithm: "sha-256", Value: sum}}
	}
	if src, ok := a.Pool.SourceOf(in.Meta.Final); ok && in.Meta.Rangeable() {
		src.ETag, src.Size = in.Meta.ETag, in.Meta.Size
		job.Server = &src
	}
	job.Checkpoint = func(s copier.State) { t.checkpoint(ctx, s) }
	return job, nil
}

// there looks what the bucket has: an earlier attempt may have come to its end, and somebody else to another one.
func (a *Activities) there(ctx context.Context, t *transfer) (*Copy, error) {
	stored, err := a.Bucket.Head(ctx, t.job.Input.Key)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		t.job.Input.Replaces = ""
		return nil, nil //nolint:nilnil // nothing is there
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errStorage, err)
	case stored.Generation > t.in.Generation:
		return nil, cache.ErrPurged
	case stored.CopyID == t.in.CopyID && stored.CopyID != "",
		t.in.SHA256 == "" && a.usable(stored, t.in.Generation):
		return &Copy{Size: stored.Size, CRC64NVME: stored.CRC64NVME, Expires: stored.Expires, Way: "found"}, nil
	}
	t.job.Input.Replaces = stored.ETag
	return nil, nil //nolint:nilnil // nothing of use is there
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

// AbortUpload frees what a copy has stored in parts that will never be an object.
func (a *Activities) AbortUpload(ctx context.Context, in AbortUploadInput) error {
	object, err := a.Sealer.Open(in.Source)
	if err != nil {
		return outcome(ctx, err)
	}
	if err := copier.AbortUploads(ctx, a.Bucket, storage.Upload{Key: object.Key()}); err != nil {
		return outcome(ctx, fmt.Errorf("%w: %w", errStorage, err))
	}
	return nil
}
