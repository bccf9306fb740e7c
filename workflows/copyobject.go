package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
)

// CopyObjectInput is the input of [CopyObject].
type CopyObjectInput struct {
	Source activities.SealedObject `json:"source"`
	// SHA256 is the digest that the first client expects, in hex. The copy's own is then computed.
	SHA256 string `json:"sha256,omitempty"`
	// MinSize is the size of the smallest object that is copied, in bytes: the lowest minimum of
	// all requests.
	MinSize int64 `json:"minSize,omitempty"`
	// Low is set if no client waits for the copy. Its activities then rank behind others.
	Low bool `json:"low,omitempty"`
}

// CopyObjectResult describes the object that the bucket has now.
type CopyObjectResult struct {
	Copy activities.Copy `json:"copy"`
	// Copied is false if the bucket already had the object.
	Copied bool `json:"copied"`
	// Published is false if the cache could not be updated.
	Published bool `json:"published"`
	// TooSmall is set if there is no copy, because the object is smaller than the minimum.
	TooSmall *activities.TooSmall `json:"tooSmall,omitempty"`
}

// CopyObject makes one copy. It fails with an application error that has the error class as its
// type. It handles [RequestSignal] and [PurgeSignal]. A run that can no longer fulfil a request
// copies the object again.
func CopyObject(ctx workflow.Context, in CopyObjectInput) (CopyObjectResult, error) {
	return (&copyObject{in: in, last: outcome{bytes: -1}}).run(ctx)
}

// maxTries is the limit of tries at a copy whose source changes between HEAD and GET. Only workers
// of builds before 2026-11-25 report such a change.
const maxTries = 3

// changed reports whether the source changed since HeadSource.
func changed(err error) bool {
	f, ok := failureOf(err)
	return ok && f.Class == activities.ClassChanged
}

// maxRounds is the limit of copies in one run, which bounds its history. The next run makes the
// next copy. A cancelled run has no next run, since that would not be cancelled.
const maxRounds = 20

// copyObject is one run of the workflow.
type copyObject struct {
	in         CopyObjectInput
	generation int64                  // Of the copy; 0 until HeadSource has read it
	copyID     string                 // Of the copy, from HeadSource
	parts      bool                   // An incomplete upload may exist
	activities *activities.Activities // Only for the names of its methods

	requested bool  // A request has arrived that the cache does not answer
	purged    int64 // The generation of the last purge that was signalled
	headed    bool  // HeadSource has returned, so that generation is known
	overtaken bool  // The object was purged after HeadSource returned
	attempts  int32 // Attempts at the copy in this round
	last      outcome
	// cancelCopy cancels the running copy, once HeadSource has returned. reschedule cancels the
	// running activity. Either is nil if there is nothing to cancel.
	cancelCopy, reschedule workflow.CancelFunc
}

// run copies the object, and repeats that while requests arrive that the last copy does not fulfil.
// In a run that an operator cancelled, the next round only records the failure again.
func (c *copyObject) run(ctx workflow.Context) (CopyObjectResult, error) {
	c.own(ctx)
	c.receive(ctx)
	for rounds := 1; ; rounds++ {
		result, err := c.round(ctx)
		if c.drain(ctx); !c.requested {
			return result, err
		}
		if rounds >= maxRounds && ctx.Err() == nil {
			c.forget(ctx)
			return result, workflow.NewContinueAsNewError(ctx, CopyObject, c.in)
		}
	}
}

// round makes one copy and publishes it, or records the reason for its failure.
func (c *copyObject) round(ctx workflow.Context) (CopyObjectResult, error) {
	c.drain(ctx)
	c.requested, c.generation, c.parts, c.headed, c.overtaken, c.copyID = false, 0, false, false, false, ""
	c.attempts = 0
	c.show(ctx, "Looking for the object in the bucket.")
	result, err := c.copy(ctx)
	for tries := 1; changed(err) && tries < maxTries; tries++ {
		c.abortUpload(ctx)
		result, err = c.copy(ctx)
	}
	if err == nil && c.lowered(ctx, result.TooSmall) {
		return result, nil // The request makes another round
	}
	if err == nil {
		result.Published, err = c.publish(ctx, result)
	}
	if err != nil {
		return CopyObjectResult{}, c.fail(ctx, err)
	}
	if result.TooSmall != nil {
		c.describe(ctx, failedWith(activities.Failure{Class: activities.ClassTooSmall}))
	} else {
		c.describe(ctx, outcome{bytes: result.Copy.Size})
	}
	c.showCopied(ctx, result)
	return result, nil
}

// lowered reports whether a request has arrived, since StreamCopy was scheduled, for which the
// object is not too small. Such a request needs another round.
func (c *copyObject) lowered(ctx workflow.Context, small *activities.TooSmall) bool {
	if small == nil {
		return false
	}
	c.drain(ctx)
	return small.Size >= c.in.MinSize
}

// publish publishes the copy, or that the object is too small. The cache then answers all requests
// that arrived before. publish fails if the object was purged meanwhile, or if the bucket does not
// have the copy. Any other failure to update the cache does not fail the copy.
func (c *copyObject) publish(ctx workflow.Context, result CopyObjectResult) (published bool, err error) {
	// A complete copy is published even if the run is cancelled: the cancellation comes too late.
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	c.drain(ctx)
	asked := c.requested
	c.requested = false // The entry answers all requests so far
	if small := result.TooSmall; small != nil {
		err = c.updateCache(ctx, small.String(), activities.TooSmallUpdate(*small))
	} else {
		err = c.updateCache(ctx, "present", activities.UpdateCacheInput{Copy: &result.Copy, CopyID: c.copyID})
	}
	switch f, _ := failureOf(err); f.Class {
	case activities.ClassPurged:
		c.requested = c.requested || asked
		return false, err
	case activities.ClassCopyMissing, activities.ClassWrongPool, activities.ClassInvalidInput:
		return false, err
	}
	return err == nil, nil
}

// copy makes one copy of the object, unless HeadSource finds it in the bucket.
func (c *copyObject) copy(ctx workflow.Context) (CopyObjectResult, error) {
	var head activities.HeadSourceResult
	if err := c.look(ctx, &head); err != nil {
		return CopyObjectResult{}, err
	}
	// HeadSource may have run before a purge that was signalled meanwhile. The copy starts after
	// the purge.
	c.generation, c.headed, c.copyID = max(head.Generation, c.purged), true, head.CopyID
	if head.Stored != nil && head.Generation == c.generation {
		return CopyObjectResult{Copy: *head.Stored}, nil
	}

	ctx, c.cancelCopy = workflow.WithCancel(ctx)
	defer func() { c.cancelCopy = nil }()
	copied, err := c.streamCopy(ctx, activities.StreamCopyInput{
		Source: c.in.Source, First: head.First, Meta: head.Meta, Generation: c.generation, Replaces: head.Replaces,
		CopyID: head.CopyID, SHA256: c.in.SHA256,
	})
	if err == nil && copied.Way == activities.WayFound {
		c.abortUpload(ctx) // Parts of this copy are not part of the object that was found
	}
	return CopyObjectResult{Copy: copied.Copy, Copied: copied.TooSmall == nil, TooSmall: copied.TooSmall}, err
}

// streamCopy copies a small object by the first request to the source, unless it is too small. It
// sends a large one to its own task queue.
func (c *copyObject) streamCopy(
	ctx workflow.Context, in activities.StreamCopyInput,
) (out activities.StreamCopyResult, err error) {
	c.show(ctx, "Copying. The heartbeat of the pending activity has the bytes, the rate and the time left.")
	if in.First {
		err := c.execute(ctx, firstCopyOptions("GET "+c.label()), c.activities.StreamCopy, c.asRequested(&in), &out)
		c.count(out.Attempts, err)
		if err != nil || out.Large == nil {
			return out, err
		}
		c.attempts-- // It only found that the object is large
		in.First, in.Meta, out.Large = false, *out.Large, nil
	}
	opts := streamCopyOptions(bytes(in.Meta.Size) + " to " + c.in.Source.Pool())
	if in.Meta.Size < 0 || in.Meta.Size > copier.Small {
		c.parts = true
		opts.TaskQueue = LargeTaskQueue(c.in.Source.Pool())
	}
	out.Copy, err = c.rerun(ctx, opts, in)
	return out, err
}

// rerun runs StreamCopy until it makes no more progress: a series of failed attempts is final only
// if it stored nothing to resume from.
func (c *copyObject) rerun(
	ctx workflow.Context, opts workflow.ActivityOptions, in activities.StreamCopyInput,
) (copied activities.Copy, err error) {
	for done := int64(0); ; {
		err = c.execute(ctx, opts, c.activities.StreamCopy, c.asRequested(&in), &copied)
		c.count(copied.Attempts, err)
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

// count adds the attempts of a StreamCopy, as its result or its failure tells them. It counts one if
// neither does.
func (c *copyObject) count(attempts int32, err error) {
	if f, ok := failureOf(err); ok {
		attempts = f.Attempts
	}
	c.attempts += max(attempts, 1)
}

// execute runs an activity of the copy at the workflow's current priority. If a client raised the
// priority while the activity was idle, execute schedules the activity again. It does not if the
// activity has ended by itself.
func (c *copyObject) execute(ctx workflow.Context, opts workflow.ActivityOptions, activity any, input func() any, out any) error {
	for {
		c.drain(ctx) // A client may have raised the priority before the workflow's first task.
		opts.Priority = Priority(c.in.Low, Host(c.in.Source))
		running, cancel := workflow.WithCancel(workflow.WithActivityOptions(ctx, opts))
		moved := false
		c.reschedule = func() {
			moved = true
			cancel()
		}
		err := workflow.ExecuteActivity(running, activity, input()).Get(ctx, out)
		c.reschedule = nil
		final, ok := errors.AsType[*temporal.ApplicationError](err)
		if !moved || err == nil || ctx.Err() != nil || ok && final.NonRetryable() {
			return err
		}
	}
}

// asRequested returns the input of a StreamCopy at the workflow's current priority. The first
// request has the lowest minimum of all requests so far.
func (c *copyObject) asRequested(in *activities.StreamCopyInput) func() any {
	return func() any {
		in.Low, in.MinSize = c.in.Low, 0
		if in.First {
			in.MinSize = c.in.MinSize
		}
		return *in
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
	byOperator := ctx.Err() != nil
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()

	c.abortUpload(ctx)
	c.drain(ctx)
	f, ok := failureOf(cause)
	switch {
	case temporal.IsCanceledError(cause) && byOperator:
		f = activities.Failure{Class: activities.ClassCancelled, Text: "the copy was cancelled"}
	case c.overtaken:
		// Whatever the failure is, it belongs to another object.
		f = activities.Failure{Class: activities.ClassPurged, Permanent: true, Text: "the object was purged"}
		cause = temporal.NewCanceledError()
	case !ok:
		f = unreported(cause)
	}
	c.show(ctx, failureDetails(f, workflow.GetInfo(ctx).WorkflowExecution.ID))
	c.record(ctx, f)
	if temporal.IsCanceledError(cause) && (c.requested || c.version(ctx) < outcomes) {
		return cause
	}
	c.describe(ctx, failedWith(f))
	if temporal.IsCanceledError(cause) {
		return cause
	}
	return temporal.NewApplicationErrorWithOptions(f.Text, f.Class,
		temporal.ApplicationErrorOptions{NonRetryable: true, Cause: cause, Details: []any{f}})
}

// record records the failure, unless the object was purged and requested since.
func (c *copyObject) record(ctx workflow.Context, f activities.Failure) {
	if f.Class == activities.ClassPurged && c.requested {
		return
	}
	if f.Class != activities.ClassPurged {
		c.requested = false // The entry answers all requests so far.
	}
	if err := c.updateCache(ctx, "error: "+f.Class, activities.UpdateCacheInput{Failure: &f}); err != nil {
		workflow.GetLogger(ctx).Warn("failure not recorded", "class", f.Class, "error", err)
	}
}

// label returns the source's URL, short enough for the summary of an activity.
func (c *copyObject) label() string { return readable(c.in.Source.URL, 150) }
