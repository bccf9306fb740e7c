package activities

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"go.temporal.io/sdk/activity"
)

// SweepInput is the input of [Activities.SweepUploads].
type SweepInput struct {
	// OlderThan spares uploads that were begun since.
	OlderThan time.Duration `json:"olderThan"`
}

// SweepResult is how many uploads there were.
type SweepResult struct {
	Aborted int `json:"aborted"`
	Owned   int `json:"owned"`   // a running workflow's
	Young   int `json:"young"`   // begun too recently to tell
	Foreign int `json:"foreign"` // of keys that are not ours
}

// SweepUploads aborts the pool's multipart uploads that no running workflow owns: those of workflows that were terminated,
// or whose worker was frozen for longer than its copy lived. Uploads under keys that are not of our form are left alone.
func (a *Activities) SweepUploads(ctx context.Context, in SweepInput) (SweepResult, error) {
	out, err := a.sweepUploads(ctx, in)
	if err != nil {
		return SweepResult{}, outcome(ctx, err)
	}
	activity.GetLogger(ctx).Info("swept uploads", "pool", a.Pool.ID(), "aborted", out.Aborted, "owned", out.Owned)
	return out, nil
}

func (a *Activities) sweepUploads(ctx context.Context, in SweepInput) (out SweepResult, _ error) {
	uploads, err := a.Bucket.ListUploads(ctx, "")
	if err != nil {
		return out, fmt.Errorf("%w: %w", errStorage, err)
	}
	// Asked for after the uploads were listed: who began one of them was running before that.
	running, err := a.Owners.Running(ctx, a.Pool.ID())
	if err != nil {
		return out, fmt.Errorf("ask for running copies: %w", err)
	}
	ours := regexp.MustCompile(`^[^/]+/([0-9a-f]{64})/[^/]+$`)
	for _, u := range uploads {
		key := ours.FindStringSubmatch(u.Key)
		switch {
		case key == nil:
			out.Foreign++
		case a.Now().Sub(u.Initiated) < in.OlderThan:
			out.Young++
		case running[key[1]]:
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
