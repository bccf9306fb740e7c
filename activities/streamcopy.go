package activities

import (
	"cmp"
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

// StreamCopyInput is the input of [Activities.StreamCopy].
type StreamCopyInput struct {
	Source     SealedObject `json:"source"`
	Meta       origin.Meta  `json:"meta"`
	Generation int64        `json:"generation"`
	Replaces   string       `json:"replaces,omitempty"`
	CopyID     string       `json:"copyID,omitempty"`
	// SHA256 is the required digest in hex; empty accepts any content.
	SHA256 string `json:"sha256,omitempty"`
	// Resume is the state of an earlier StreamCopy with the same CopyID.
	Resume copier.State `json:"resume,omitzero"`
}

// StreamCopy copies the source's bytes into the bucket. It stores exactly the object that
// HeadSource saw, or nothing. It resumes an earlier attempt's upload. If it fails, it leaves its
// own upload to the next attempt: the workflow runs AbortUpload when there will be none.
func (a *Activities) StreamCopy(ctx context.Context, in StreamCopyInput) (Copy, error) {
	start := a.Now()
	t := newTransfer(ctx, a, in)
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
	ctx, stop := t.watch(ctx)
	defer stop()
	if t.job.Resume.Upload != "" || activity.GetInfo(ctx).Attempt > 1 {
		if existing, found, err := a.existing(ctx, t); err != nil || found {
			return existing, cause(ctx, err)
		}
	}
	r, err := a.Copier.Run(ctx, t.job)
	if err != nil {
		return Copy{}, cause(ctx, err)
	}
	return Copy{
		Size: r.Size, CRC64NVME: r.CRC64NVME, Expires: r.Expires,
		Way: r.Way, Fetched: r.Fetched, Resumed: r.Resumed, Restarted: r.Restarted, Unverified: r.Unverified,
	}, nil
}

func (a *Activities) job(ctx context.Context, t *transfer, object storage.Object) (*copier.Job, error) {
	in := t.in
	job := &copier.Job{
		URL:  object.URL,
		Meta: in.Meta,
		Spec: storage.ObjectSpec{
			Key:                object.Key(),
			ContentType:        contentType(in.Meta.ContentType),
			ContentEncoding:    header(in.Meta.ContentEncoding),
			ContentDisposition: header(in.Meta.ContentDisposition),
			ContentLanguage:    header(in.Meta.ContentLanguage),
			Metadata:           metadata(in, activity.GetInfo(ctx).WorkflowExecution.ID, a.Now()),
			Replaces:           in.Replaces,
		},
		Resume: t.last.Resume,
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

// existing HEADs the bucket, since an earlier attempt or another workflow may have stored the
// object. It returns the copy if it is this one, or may be published. Otherwise this copy may
// replace the object, which existing notes in the job's spec. It fails with [cache.ErrPurged] if
// the object is newer than this copy.
func (a *Activities) existing(ctx context.Context, t *transfer) (_ Copy, found bool, _ error) {
	headCtx, cancel := context.WithTimeout(ctx, bucketTimeout)
	defer cancel()
	stored, err := a.Bucket.Head(headCtx, t.job.Spec.Key)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		t.job.Spec.Replaces = ""
		return Copy{}, false, nil
	case err != nil:
		return Copy{}, false, fmt.Errorf("%w: %w", errStorage, err)
	case stored.Generation > t.in.Generation:
		return Copy{}, false, cache.ErrPurged
	case stored.CopyID == t.in.CopyID && stored.CopyID != "",
		t.in.SHA256 == "" && a.usable(stored, t.in.Generation):
		return Copy{Size: stored.Size, CRC64NVME: stored.CRC64NVME, Expires: stored.Expires, Way: WayFound}, true, nil
	}
	t.job.Spec.Replaces = stored.ETag
	return Copy{}, false, nil
}

func contentType(s string) string { return cmp.Or(header(s), "application/octet-stream") }

// cause returns the cause of a cancelled context unless that is a plain cancellation, and err
// otherwise.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil && !errors.Is(c, context.Canceled) {
		return c
	}
	return err
}
