package activities

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"go.temporal.io/sdk/activity"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// AuditInput is the input of [Activities.Audit].
type AuditInput struct {
	Source SealedObject `json:"source"`
}

// AuditResult is the result of [Activities.Audit].
type AuditResult struct {
	// Result is one of [AuditResults].
	Result string `json:"result"`
	// Cause is the reason for an unknown result: an error class, or Cause words of this package.
	Cause string `json:"cause,omitempty"`
	// Status is the source's HTTP status, if it is the cause.
	Status int `json:"status,omitempty"`
	// Purged is set if the copy was purged because its source has changed.
	Purged bool `json:"purged,omitempty"`
}

// The causes of an unknown result that are no error classes.
const (
	CauseNoCopy = "NoCopy" // The bucket has no copy that clients may use
	CauseFacts  = "Facts"  // The source's answer can't be compared with the copy
)

// Audit compares the source with the copy, by a HEAD. A HEAD that says that the object has changed,
// or is gone, is only a suspicion: a plain GET, closed unread, decides. If the object has changed,
// Audit logs a warning, and purges the copy if AuditPurge is set.
func (a *Activities) Audit(ctx context.Context, in AuditInput) (AuditResult, error) {
	out, err := a.audit(ctx, in)
	if err != nil {
		if ctx.Err() != nil || !lastTry(ctx) {
			return AuditResult{}, outcome(ctx, err)
		}
		out = AuditResult{Result: AuditUnknown, Cause: failure(err).Class}
	}
	a.Observer.Audited(in.Source.URL, out.Result)
	if out.Purged {
		a.Observer.AuditPurged(in.Source.URL)
	}
	return out, nil
}

func (a *Activities) audit(ctx context.Context, in AuditInput) (AuditResult, error) {
	object, err := a.open(in.Source)
	if err != nil {
		return AuditResult{}, err
	}
	key := a.Space.Key(object.Hash())
	generation, redisErr := a.Cache.Generation(ctx, key)
	stored, metadata, err := a.headCopy(ctx, object)
	switch {
	case errors.Is(err, storage.ErrNotFound), err == nil && stored.Generation < generation:
		return AuditResult{Result: AuditUnknown, Cause: CauseNoCopy}, nil
	case err != nil:
		return AuditResult{}, err
	}
	out, err := a.compareSource(ctx, object.URL, factsOfCopy(stored, metadata))
	if err != nil || out.Result != AuditDifferent {
		return out, err
	}
	log := activity.GetLogger(ctx)
	log.Warn("source of a copy has changed", "object", object.Key(), "source", in.Source.URL)
	if a.AuditPurge && redisErr == nil {
		if err := a.purge(ctx, object, generation); err != nil {
			log.Warn("copy whose source has changed not purged", "object", object.Key(), "error", err)
		} else {
			out.Purged = true
		}
	}
	return out, nil
}

// compareSource compares the copy with the source. A failed request is a result. The error is that
// of a cancelled context.
func (a *Activities) compareSource(ctx context.Context, url string, have facts) (AuditResult, error) {
	meta, err := a.Source.Head(ctx, url)
	out := judgeAnswer(have, meta, err)
	if out.Result == AuditDifferent || out.Result == AuditGone {
		var body *origin.Body
		if body, err = a.Source.First(ctx, url); err == nil {
			meta = body.Meta()
			_ = body.Close()
		}
		out = judgeAnswer(have, meta, err)
	}
	return out, ctx.Err()
}

// judgeAnswer judges the answer of the source to one request.
func judgeAnswer(have facts, meta origin.Meta, err error) AuditResult {
	if err == nil {
		out := AuditResult{Result: compare(have, factsOfSource(meta))}
		if out.Result == AuditUnknown {
			out.Cause = CauseFacts
		}
		return out
	}
	f := failure(err)
	switch f.Status {
	case http.StatusNotFound, http.StatusGone:
		return AuditResult{Result: AuditGone, Status: f.Status}
	}
	return AuditResult{Result: AuditUnknown, Cause: cmp.Or(f.Class, ClassInternal), Status: f.Status}
}
