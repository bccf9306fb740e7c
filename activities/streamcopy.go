package activities

import (
	"cmp"
	"context"
	"encoding/json"
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
	Source SealedObject `json:"source"`
	// First is set if nothing was sent to the source yet. Then Meta has the size -1.
	First      bool        `json:"first,omitempty"`
	Meta       origin.Meta `json:"meta"`
	Generation int64       `json:"generation"`
	Replaces   string      `json:"replaces,omitempty"`
	CopyID     string      `json:"copyID,omitempty"`
	// SHA256 is the digest that the first client expects, in hex. The copy's own is then computed.
	SHA256 string `json:"sha256,omitempty"`
	// MinSize is the size of the smallest object that the first request copies, in bytes.
	MinSize int64 `json:"minSize,omitempty"`
	// Low is set if no client waits for the copy.
	Low bool `json:"low,omitempty"`
	// Resume is the state of an earlier StreamCopy with the same CopyID.
	Resume copier.State `json:"resume,omitzero"`
}

// StreamCopyResult is the result of [Activities.StreamCopy].
type StreamCopyResult struct {
	Copy
	// Large describes an object that was not copied, because it is large and belongs to the task
	// queue of large objects. Only the first request sets it.
	Large *origin.Meta `json:"large,omitempty"`
	// TooSmall is set if the object was not copied because it is smaller than the minimum. Only the
	// first request sets it.
	TooSmall *TooSmall `json:"tooSmall,omitempty"`
}

// MarshalJSON gives an object that was not copied a size that is no number. A workflow of a build
// that does not know the reason can't decode that, and fails. It would publish a copy that does not
// exist.
func (r StreamCopyResult) MarshalJSON() ([]byte, error) {
	switch {
	case r.Large != nil:
		return json.Marshal(notCopied{Size: "large", Large: r.Large, Attempts: r.Attempts})
	case r.TooSmall != nil:
		return json.Marshal(notCopied{Size: "too small", TooSmall: r.TooSmall, Attempts: r.Attempts})
	default:
		return json.Marshal(r.Copy)
	}
}

// UnmarshalJSON decodes both forms of MarshalJSON.
func (r *StreamCopyResult) UnmarshalJSON(data []byte) error {
	var n struct {
		Large    *origin.Meta `json:"large"`
		TooSmall *TooSmall    `json:"tooSmall"`
		Attempts int32        `json:"attempts"`
	}
	if err := json.Unmarshal(data, &n); err != nil {
		return err
	}
	*r = StreamCopyResult{Large: n.Large, TooSmall: n.TooSmall, Copy: Copy{Attempts: n.Attempts}}
	if !r.copied() {
		return nil
	}
	return json.Unmarshal(data, &r.Copy)
}

// copied reports whether the result describes a copy.
func (r *StreamCopyResult) copied() bool { return r.Large == nil && r.TooSmall == nil }

// notCopied is the JSON of a [StreamCopyResult] without a copy.
type notCopied struct {
	Size     string       `json:"size"`
	Large    *origin.Meta `json:"large,omitempty"`
	TooSmall *TooSmall    `json:"tooSmall,omitempty"`
	Attempts int32        `json:"attempts,omitempty"`
}

var (
	_ json.Marshaler   = StreamCopyResult{}
	_ json.Unmarshaler = (*StreamCopyResult)(nil)
)

// StreamCopy copies the source's bytes into the bucket. It stores exactly the object that a single GET of
// the source returns, or nothing. It resumes an earlier attempt's upload. If it fails, it leaves its
// own upload to the next attempt: the workflow runs AbortUpload when there will be none.
func (a *Activities) StreamCopy(ctx context.Context, in StreamCopyInput) (StreamCopyResult, error) {
	start := a.Now()
	defer a.Observer.Attempt(a.Pool.ID(), activity.GetInfo(ctx).Attempt > 1)()
	t := newTransfer(ctx, a, in)
	if t.failed(ctx) >= MaxAttempts {
		return StreamCopyResult{}, t.fail(ctx, errLost)
	}
	out, err := a.streamCopy(ctx, t)
	if err != nil {
		return StreamCopyResult{}, t.fail(ctx, err)
	}
	out.Attempts = t.failed(ctx) + 1
	if out.copied() && out.Way != WayFound {
		a.Observer.Copied(in.Source.Pool(), in.Source.URL, out.Size, a.Now().Sub(start))
	}
	return out, nil
}

func (a *Activities) streamCopy(ctx context.Context, t *transfer) (StreamCopyResult, error) {
	object, err := a.open(t.in.Source)
	if err != nil {
		return StreamCopyResult{}, err
	}
	if err := checkDigest(t.in.SHA256); err != nil {
		return StreamCopyResult{}, err
	}
	t.key, t.object = a.Space.Key(object.Hash()), object.Key()
	a.prepare(ctx, t, object)
	ctx, stop := t.watch(ctx)
	defer stop()
	if t.job.Resume.Upload != "" || activity.GetInfo(ctx).Attempt > 1 {
		if existing, found, err := a.existing(ctx, t, object.Key()); err != nil || found {
			return StreamCopyResult{Copy: existing}, cause(ctx, err)
		}
	}
	r, err := a.Copier.Run(ctx, t.job)
	if err != nil {
		return StreamCopyResult{}, cause(ctx, err)
	}
	if r.Large != nil {
		if t.in.Low {
			_ = t.renew(ctx, a.Now(), true) // The next StreamCopy notices a purge.
		}
		return StreamCopyResult{Large: r.Large}, nil
	}
	if r.TooSmall != nil {
		return StreamCopyResult{TooSmall: &TooSmall{Size: *r.TooSmall, MinSize: t.in.MinSize}}, nil
	}
	return StreamCopyResult{Copy: Copy{
		Size: r.Size, CRC64NVME: r.CRC64NVME, SHA256: r.SHA256, Expires: r.Expires,
		Way: r.Way, Fetched: r.Fetched, Resumed: r.Resumed, Restarted: r.Restarted, Unverified: r.Unverified,
	}}, nil
}

// prepare makes the job of the transfer.
func (a *Activities) prepare(ctx context.Context, t *transfer, object storage.Object) {
	in := t.in
	t.job.URL, t.job.First, t.job.Meta, t.job.MinSize = object.URL, in.First, in.Meta, in.MinSize
	t.job.Resume, t.replaces = t.last.Resume, in.Replaces
	if t.last.Row.needsStream() {
		t.job.Resume = copier.State{Stream: true}
	}
	t.job.Checkpoint = func(s copier.State) { t.checkpoint(ctx, s) }
	t.job.SHA256 = in.SHA256 != ""
	t.job.Spec = func(m origin.Meta) storage.ObjectSpec {
		t.describe(ctx, m)
		return storage.ObjectSpec{
			Key:                object.Key(),
			ContentType:        cmp.Or(header(m.ContentType), "application/octet-stream"),
			ContentEncoding:    header(m.ContentEncoding),
			ContentDisposition: a.disposition(m),
			ContentLanguage:    header(m.ContentLanguage),
			Metadata:           metadata(in, m, activity.GetInfo(ctx).WorkflowExecution.ID, a.Now()),
			Replaces:           t.replaces,
		}
	}
	t.job.Server = func(m origin.Meta) *storage.CopySource {
		src, ok := a.Pool.SourceOf(m.Final)
		if !ok || !m.Rangeable() {
			return nil
		}
		src.ETag, src.Size = m.ETag, m.Size
		return &src
	}
}

// disposition returns the Content-Disposition of a copy: the source's, unless the pool has active
// content downloaded.
func (a *Activities) disposition(m origin.Meta) string {
	sent := header(m.ContentDisposition)
	if a.Pool.DownloadActive && active(m.ContentType) {
		return attachment(sent)
	}
	return sent
}

// existing HEADs the bucket, since an earlier attempt or another workflow may have stored the
// object. It returns the copy if it is this one, or may be published. Otherwise this copy may
// replace the object, which existing notes in the transfer. It fails with [cache.ErrPurged] if the
// object is newer than this copy.
func (a *Activities) existing(ctx context.Context, t *transfer, key string) (_ Copy, found bool, _ error) {
	headCtx, cancel := context.WithTimeout(ctx, bucketTimeout)
	defer cancel()
	stored, err := a.Bucket.Head(headCtx, key)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		t.replaces = ""
		return Copy{}, false, nil
	case err != nil:
		return Copy{}, false, fmt.Errorf("%w: %w", errStorage, err)
	case stored.Generation > t.in.Generation:
		return Copy{}, false, cache.ErrPurged
	case stored.CopyID == t.in.CopyID && stored.CopyID != "", a.usable(stored, t.in.Generation):
		found := copyOf(stored)
		found.Way = WayFound
		return found, true, nil
	}
	t.replaces = stored.ETag
	return Copy{}, false, nil
}

// cause returns the cause of a cancelled context unless that is a plain cancellation, and err
// otherwise.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil && !errors.Is(c, context.Canceled) {
		return c
	}
	return err
}
