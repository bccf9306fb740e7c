package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
)

// CopyObjectInput is the input of [CopyObject].
type CopyObjectInput struct {
	Source activities.SealedObject `json:"source"`
	// SHA256 is the required digest in hex; empty accepts any content.
	SHA256 string `json:"sha256,omitempty"`
}

// CopyObjectResult describes the object that the bucket has now.
type CopyObjectResult struct {
	Copy activities.Copy `json:"copy"`
	// Copied is false if the bucket already had the object.
	Copied bool `json:"copied"`
	// Published is false if the cache could not be updated.
	Published bool `json:"published"`
}

// CopyObject makes one copy. It fails with an application error that has the error class as its
// type.
func CopyObject(ctx workflow.Context, in CopyObjectInput) (CopyObjectResult, error) {
	return (&copyObject{in: in}).run(ctx)
}

// maxTries is the limit of tries at a copy whose source changes between HEAD and GET. Only workers
// of builds before 2026-11-25 report such a change.
const maxTries = 3

// changed reports whether the source changed since HeadSource.
func changed(err error) bool {
	f, ok := failureOf(err)
	return ok && f.Class == activities.ClassChanged
}

// copyObject is one run of the workflow.
type copyObject struct {
	in         CopyObjectInput
	generation int64
	parts      bool                   // An incomplete upload may exist
	activities *activities.Activities // Only for the names of its methods
}

func (c *copyObject) run(ctx workflow.Context) (CopyObjectResult, error) {
	result, err := c.copy(ctx)
	for tries := 1; changed(err) && tries < maxTries; tries++ {
		c.abortUpload(ctx)
		result, err = c.copy(ctx)
	}
	if err != nil {
		return CopyObjectResult{}, c.fail(ctx, err)
	}
	// A complete copy is published, or discarded if the object was purged. A cancellation comes too
	// late.
	finish, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	err = c.updateCache(finish, "present", activities.UpdateCacheInput{Copy: &result.Copy})
	if f, ok := failureOf(err); ok && f.Class == activities.ClassPurged {
		return CopyObjectResult{}, c.fail(ctx, err)
	}
	// Any other failure to update the cache is no failure of the copy.
	result.Published = err == nil
	return result, nil
}

// copy makes one copy of the object, unless HeadSource finds it in the bucket.
func (c *copyObject) copy(ctx workflow.Context) (CopyObjectResult, error) {
	var head activities.HeadSourceResult
	opts := headSourceOptions("look for " + c.label())
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, opts), c.activities.HeadSource,
		activities.HeadSourceInput{Source: c.in.Source}).Get(ctx, &head)
	if err != nil {
		return CopyObjectResult{}, err
	}
	c.generation = head.Generation
	if head.Stored != nil {
		return CopyObjectResult{Copy: *head.Stored}, nil
	}

	copied, err := c.streamCopy(ctx, activities.StreamCopyInput{
		Source: c.in.Source, First: head.First, Meta: head.Meta, Generation: head.Generation, Replaces: head.Replaces,
		CopyID: head.CopyID, SHA256: c.in.SHA256,
	})
	if err == nil && copied.Way == activities.WayFound {
		c.abortUpload(ctx) // Parts of this copy are not part of the object that was found
	}
	return CopyObjectResult{Copy: copied, Copied: true}, err
}

// streamCopy copies a small object by the first request to the source. It sends a large one to its
// own task queue.
func (c *copyObject) streamCopy(ctx workflow.Context, in activities.StreamCopyInput) (activities.Copy, error) {
	if in.First {
		var out activities.StreamCopyResult
		opts := firstCopyOptions("GET " + c.label())
		err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, opts), c.activities.StreamCopy, in).Get(ctx, &out)
		if err != nil || out.Large == nil {
			return out.Copy, err
		}
		in.First, in.Meta = false, *out.Large
	}
	opts := streamCopyOptions(size(in.Meta.Size) + " to " + c.in.Source.Pool())
	if in.Meta.Size < 0 || in.Meta.Size > copier.Small {
		c.parts = true
		opts.TaskQueue = LargeTaskQueue(c.in.Source.Pool())
	}
	return c.rerun(ctx, opts, in)
}

// rerun runs StreamCopy until it makes no more progress: a series of failed attempts is final only
// if it stored nothing to resume from.
func (c *copyObject) rerun(
	ctx workflow.Context, opts workflow.ActivityOptions, in activities.StreamCopyInput,
) (copied activities.Copy, err error) {
	for done := int64(0); ; {
		err = workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, opts), c.activities.StreamCopy, in).Get(ctx, &copied)
		p, ok := progressOf(err)
		if !ok || p.Resume.Upload == "" || p.Done <= done {
			return copied, err
		}
		done, in.Resume = p.Done, p.Resume
		if err := workflow.Sleep(ctx, pause(err)); err != nil {
			return copied, err
		}
	}
}

// pause returns how long to wait after a series of failed attempts.
func pause(err error) time.Duration {
	wait := StreamCopyPolicy().MaximumInterval
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		wait = max(wait, app.NextRetryDelay())
	}
	return wait
}

// abortUpload frees the stored parts of a copy that will not be made. If it fails, a sweep frees
// them later.
func (c *copyObject) abortUpload(ctx workflow.Context) {
	if !c.parts {
		return
	}
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, abortUploadOptions()), c.activities.AbortUpload,
		activities.AbortUploadInput{Source: c.in.Source}).Get(ctx, nil)
	if err != nil {
		workflow.GetLogger(ctx).Warn("upload not aborted", "error", err)
	}
}

// fail records the failure in the cache, so that clients get an answer, and returns the workflow's
// error. It also works after a cancellation.
func (c *copyObject) fail(ctx workflow.Context, cause error) error {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()

	c.abortUpload(ctx)
	f, ok := failureOf(cause)
	if temporal.IsCanceledError(cause) {
		f = activities.Failure{Class: activities.ClassCancelled, Text: "the copy was cancelled"}
	} else if !ok {
		f = activities.Failure{Class: activities.ClassInternal, Text: "the activity timed out"}
	}
	if err := c.updateCache(ctx, "error: "+f.Class, activities.UpdateCacheInput{Failure: &f}); err != nil {
		workflow.GetLogger(ctx).Warn("failure not recorded", "class", f.Class, "error", err)
	}
	if temporal.IsCanceledError(cause) {
		return cause
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, ErrorClassAttribute().ValueSet(f.Class)); err != nil {
		workflow.GetLogger(ctx).Warn("search attribute not set", "error", err)
	}
	return temporal.NewApplicationErrorWithOptions(f.Text, f.Class,
		temporal.ApplicationErrorOptions{NonRetryable: true, Cause: cause, Details: []any{f}})
}

func (c *copyObject) updateCache(ctx workflow.Context, summary string, in activities.UpdateCacheInput) error {
	in.Source, in.Generation = c.in.Source, c.generation
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, updateCacheOptions(summary)),
		c.activities.UpdateCache, in).Get(ctx, nil)
}

// label returns the source's URL, short enough for the summary of an activity.
func (c *copyObject) label() string { return readable(c.in.Source.URL, 150) }

// failureOf returns the Failure in an activity's error.
func failureOf(err error) (activities.Failure, bool) {
	var app *temporal.ApplicationError
	var f activities.Failure
	if !errors.As(err, &app) || app.Details(&f) != nil {
		return activities.Failure{}, false
	}
	return f, true
}

// progressOf returns the progress of a StreamCopy that can be resumed: from its error or, if its
// worker was lost, from its last heartbeat.
func progressOf(err error) (p activities.Progress, ok bool) {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		var f activities.Failure
		// A non-retryable error ended the series before its attempts ran out.
		return p, !app.NonRetryable() && app.Details(&f, &p) == nil
	}
	if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok && timeout.HasLastHeartbeatDetails() {
		return p, timeout.LastHeartbeatDetails(&p) == nil
	}
	return p, false
}

// size returns a size in words, for the summary of an activity.
func size(bytes int64) string {
	switch {
	case bytes < 0:
		return "unknown size"
	case bytes == 1:
		return "1 byte"
	default:
		return fmt.Sprintf("%d bytes", bytes)
	}
}
