package activities

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/cloud-mirror/cloud-mirror/workflows/copyid"
)

// SweepInput is the input of [Activities.SweepUploads].
type SweepInput struct {
	// Pool is the id of the pool to sweep. Inputs of builds before 2026-11-26 have none, which is
	// the pool of the task queue.
	Pool string `json:"pool,omitempty"`
	// OlderThan is the least age of an upload to abort.
	OlderThan time.Duration `json:"olderThan"`
}

// SweepResult counts the uploads that a sweep found.
type SweepResult struct {
	Aborted int `json:"aborted"`
	Owned   int `json:"owned"`   // By a running workflow
	Young   int `json:"young"`   // Younger than OlderThan
	Foreign int `json:"foreign"` // Under keys that cloud-mirror does not make
}

// SweepUploads aborts the pool's multipart uploads that no running workflow owns. Their workflow
// was terminated, or their worker was frozen until after the copy's end. It leaves uploads under
// other keys than cloud-mirror's alone.
func (a *Activities) SweepUploads(ctx context.Context, in SweepInput) (SweepResult, error) {
	out, err := a.sweepUploads(ctx, in)
	a.Observer.Swept(a.Pool.ID(), out, err)
	if err != nil {
		return SweepResult{}, outcome(ctx, err)
	}
	activity.GetLogger(ctx).Info("swept uploads", "pool", a.Pool.ID(), "aborted", out.Aborted, "owned", out.Owned)
	return out, nil
}

func (a *Activities) sweepUploads(ctx context.Context, in SweepInput) (out SweepResult, _ error) {
	if in.Pool != "" && in.Pool != a.Pool.ID() {
		return out, fmt.Errorf("%w: the sweep is for pool %.100q, and the pool of this task queue is %q", errWrongPool, in.Pool, a.Pool.ID())
	}
	uploads, err := a.Bucket.ListUploads(ctx, "")
	if err != nil {
		return out, fmt.Errorf("%w: %w", errStorage, err)
	}
	// List the workflows after the uploads: each upload's workflow started before its upload.
	running, err := a.Owners.Running(ctx, a.Pool.ID())
	if err != nil {
		return out, fmt.Errorf("list running copies: %w", err)
	}
	ours := regexp.MustCompile(`^[^/]+/([0-9a-f]{64})/[^/]+$`)
	for _, u := range uploads {
		key := ours.FindStringSubmatch(u.Key)
		switch {
		case key == nil:
			out.Foreign++
		case a.Now().Sub(u.Initiated) < in.OlderThan:
			out.Young++
		case running[copyid.Short(key[1])]:
			out.Owned++
		default:
			if failed := a.Bucket.AbortUpload(ctx, u); failed != nil {
				err = errors.Join(err, failed)
			} else {
				out.Aborted++
			}
		}
		activity.RecordHeartbeat(ctx, out)
	}
	if err != nil {
		return out, fmt.Errorf("%w: %w", errStorage, err)
	}
	return out, nil
}
