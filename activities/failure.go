package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
)

// Failure is the reason why a copy failed. It is the first detail of every error that an activity
// returns.
type Failure struct {
	Class  string `json:"class"`
	Status int    `json:"status,omitempty"`
	// Method and Host are those of the request that failed: see [origin.Error]. They are empty in
	// failures of builds before 2026-11-28, and if no request to the source failed.
	Method string `json:"method,omitempty"`
	Host   string `json:"host,omitempty"`
	// AboutObject is set if Status says something about the object, so that clients get it.
	AboutObject bool `json:"aboutObject,omitempty"`
	Permanent   bool `json:"permanent"`
	// Repeats is set if the attempt before failed in the same way: no client should wait for another
	// attempt.
	Repeats bool `json:"repeats,omitempty"`
	// RetryAfter is the delay until the next try, in nanoseconds: the delay that the source requested,
	// or the pause of a copy that waits for its turn.
	RetryAfter time.Duration `json:"retryAfter,omitempty"`
	// Exhausted is set if the series of attempts ends because it has used them all up. The error is
	// non-retryable then, but a series that stored more than its predecessor is worth another.
	Exhausted bool `json:"exhausted,omitempty"`
	// Attempts counts the attempts of the StreamCopy that failed, including this one. It is 0 if
	// another activity failed.
	Attempts int32 `json:"attempts,omitempty"`
	// Lost is set if the copy gave its holds back, and lost all bytes that the attempt had fetched.
	Lost bool   `json:"lost,omitempty"`
	Text string `json:"text"`
}

// Label returns the class and, if that is BadHTTPStatus, the source's status, as in BadHTTPStatus-404.
func (f Failure) Label() string {
	if f.Class == string(origin.ClassBadHTTPStatus) && f.Status != 0 {
		return fmt.Sprintf("%s-%d", f.Class, f.Status)
	}
	return f.Class
}

// The error classes that are not an [origin.Class].
const (
	ClassChanged   = "SourceChanged"  // The source changed since HeadSource; of builds before 2026-11-25
	ClassPurged    = "Purged"         // The object was purged while the copy was made
	ClassStalled   = "SourceStalled"  // The source sent nothing, or too little, for too long
	ClassTooSlow   = "SourceTooSlow"  // The source stays below the minimum average rate
	ClassHandover  = "HandedOver"     // The worker stopped or could not heartbeat; another attempt resumes
	ClassTurn      = "WaitsForTurn"   // The copy waited in vain for memory, disk or a slot, or gave one back
	ClassStorage   = "StorageFailed"  // The bucket refused a request or did not answer
	ClassRejected  = "BucketRejected" // The bucket rejected the complete object, or stored another
	ClassCache     = "CacheFailed"    // Redis did not answer
	ClassSealed    = "SealedQuery"    // The worker can't read the URL's query
	ClassCancelled = "Cancelled"      // An operator cancelled the copy
	ClassExpired   = "CopyExpires"    // The bucket deletes the copy too soon after it was made
	ClassInternal  = "InternalError"  // Anything else

	ClassCopyMissing  = "CopyMissing"    // The bucket does not have the copy that the workflow publishes
	ClassWrongPool    = "WrongPool"      // The workflow runs in the task queue of another pool
	ClassInvalidInput = "InvalidInput"   // The input of the workflow describes no object
	ClassOperator     = "OperatorFailed" // An operator failed the activity
	ClassTerminated   = "Terminated"     // An operator terminated the workflow
	ClassPaused       = "Paused"         // An operator paused the activity; another attempt resumes
	ClassReset        = "Reset"          // An operator reset the activity; another attempt resumes
	ClassEnded        = "AttemptEnded"   // Temporal no longer knows the attempt
	ClassResult       = "InvalidResult"  // The workflow can't decode the result of an activity
	ClassTimedOut     = "TimedOut"       // No attempt of an activity ended in time
)

// Classes returns the classes of failures that are not an [origin.Class].
func Classes() []string {
	return []string{
		ClassChanged, ClassPurged, ClassStalled, ClassTooSlow, ClassHandover, ClassTurn, ClassStorage, ClassRejected,
		ClassCache, ClassSealed, ClassCancelled, ClassExpired, ClassInternal, ClassCopyMissing, ClassWrongPool,
		ClassInvalidInput, ClassOperator, ClassTerminated, ClassPaused, ClassReset, ClassEnded, ClassResult, ClassTimedOut,
	}
}

// ClassTooSmall is the class of an object that is smaller than the minimum. It is no failure; see
// [TooSmallUpdate].
const ClassTooSmall = cache.ClassTooSmall

// maxErrorText keeps failures far below the 2 MB at which Temporal makes any error non-retryable,
// in bytes.
const maxErrorText = 1024

// Causes with which this package cancels the context of a copy.
var (
	errBucketStalled = errors.New("the bucket stalled")
	errHandover      = errors.New("the worker is stopping; another worker will resume")
)

// errHeartbeat marks the error of an attempt that the SDK cancelled at a heartbeat.
var errHeartbeat = errors.New("a heartbeat ended the attempt, and another attempt will resume")

// The errors of attempts that ended because an operator acted on their activity or workflow.
var (
	errPaused = errors.New("an operator paused the activity")
	errReset  = errors.New("an operator reset the activity")
	errEnded  = errors.New("Temporal no longer knows the attempt: it timed out, or its workflow has ended") //nolint:staticcheck // A name
)

// errLost is the error of a series whose last attempt ended without a report.
var errLost = errors.New("no attempt is left, and the worker of the last one was lost")

// errStorage and errCache mark the side that an error came from.
var (
	errStorage = errors.New("storage")
	errCache   = errors.New("cache")
)

// handoverDelay makes the retry immediate. Zero would mean the retry policy's own delay.
const handoverDelay = time.Millisecond

// failure classifies an error. Only here does an error become permanent.
func failure(err error) Failure {
	f := Failure{Class: ClassInternal, Text: err.Error()}
	var source *origin.Error
	switch {
	case errors.Is(err, cache.ErrPurged):
		f.Class, f.Permanent = ClassPurged, true
	case errors.Is(err, errWrongPool):
		f.Class, f.Permanent = ClassWrongPool, true
	case errors.Is(err, errInvalidInput):
		f.Class, f.Permanent = ClassInvalidInput, true
	case errors.Is(err, errCopyMissing):
		f.Class = ClassCopyMissing
	case errors.Is(err, errPaused):
		f.Class, f.RetryAfter = ClassPaused, handoverDelay
	case errors.Is(err, errReset):
		f.Class, f.RetryAfter = ClassReset, handoverDelay
	case errors.Is(err, errEnded):
		f.Class, f.RetryAfter = ClassEnded, handoverDelay
	case errors.Is(err, copier.ErrTurn):
		f.Class = ClassTurn
	case errors.Is(err, copier.ErrTooSlow):
		f.Class = ClassTooSlow
	case errors.Is(err, copier.ErrStalled):
		f.Class = ClassStalled
	case errors.Is(err, errHandover), errors.Is(err, errHeartbeat):
		f.Class, f.RetryAfter = ClassHandover, handoverDelay
	case errors.Is(err, seal.ErrSealed):
		// Retry: the next worker may have the right key.
		f.Class = ClassSealed
	case errors.As(err, &source):
		f.Class, f.Status, f.AboutObject = string(source.Class), source.Status, source.AboutObject
		f.Method, f.Host = source.Method, source.Host
		f.Permanent, f.RetryAfter, f.Text = source.Permanent, source.RetryAfter, source.Error()
	case errors.Is(err, storage.ErrRejected), errors.Is(err, storage.ErrMismatch):
		f.Class = ClassRejected
	case errors.Is(err, copier.ErrBucket), errors.Is(err, errStorage), errors.Is(err, errBucketStalled):
		f.Class = ClassStorage
	case errors.Is(err, errCache):
		f.Class = ClassCache
	}
	f.Text = ErrorText(f.Text)
	return f
}

// ErrorText cuts a text to the limit of errors in histories, 1 KB.
func ErrorText(text string) string {
	if len(text) <= maxErrorText {
		return text
	}
	// Temporal sends the failure as protobuf, which refuses half a rune.
	return strings.ToValidUTF8(text[:maxErrorText], "")
}

// final reports whether no attempt follows the failure. A slow source would only hold a slot again,
// and a missing copy does not appear.
func (f Failure) final() bool {
	return f.Permanent || f.Class == ClassTooSlow || f.Class == ClassCopyMissing
}

// cancelled reports whether an operator or a purge ended the copy. The copy itself did not fail.
func (f Failure) cancelled() bool {
	switch f.Class {
	case ClassCancelled, ClassTerminated, ClassPurged:
		return true
	}
	return false
}

// EndedByOperator reports whether a class says that an operator ended the copy. Clients must not
// restart it.
func EndedByOperator(class string) bool {
	switch class {
	case ClassCancelled, ClassTerminated, ClassOperator:
		return true
	}
	return false
}

// resumes reports whether another attempt resumes at once: this one ended through no fault of its
// copy.
func (f Failure) resumes() bool {
	switch f.Class {
	case ClassHandover, ClassPaused, ClassReset, ClassEnded:
		return true
	}
	return false
}

// free reports whether the attempt used up none of the attempts of its series: the copy itself did
// not fail. An attempt that lost its fetched bytes counts, so that downloads are bounded.
func (f Failure) free() bool {
	switch f.Class {
	case ClassTurn, string(origin.ClassBusy):
		return !f.Lost
	}
	return f.resumes() && !f.Lost
}

// loses reports whether an attempt that had to give its holds back has fetched bytes in vain: the
// bucket holds no more than before.
func (f Failure) loses(fetched, stored, before int64) bool {
	return f.Class == ClassTurn && fetched > 0 && stored <= before
}

// toTemporal returns an application error of Temporal. Its type is the error class, its details are
// the failure and more, and the source's Retry-After is the delay of the next retry.
func (f Failure) toTemporal(final bool, more ...any) error {
	return temporal.NewApplicationErrorWithOptions(f.Text, f.Class, temporal.ApplicationErrorOptions{
		NonRetryable:   final,
		NextRetryDelay: f.RetryAfter,
		Details:        append([]any{f}, more...),
	})
}

// outcome turns the error of an activity into one of Temporal. A cancellation stays a cancellation.
func outcome(ctx context.Context, err error) error {
	err, failed := ended(ctx, err)
	if !failed {
		return err
	}
	f := failure(err)
	activity.GetLogger(ctx).Info("attempt failed", "class", f.Class, "error", f.Text)
	return f.toTemporal(f.final())
}

// ended returns the error that an activity ends with. It returns false for a success, for a
// cancellation, and for an attempt whose time is over: Temporal has ended that one itself.
func ended(ctx context.Context, err error) (_ error, failed bool) {
	switch {
	case err == nil:
		return nil, false
	case ctx.Err() == nil || errors.Is(err, cache.ErrPurged) || errors.Is(err, errHandover):
		return err, true
	case stopping(ctx):
		return errHandover, true
	case endedByHeartbeat(ctx):
		return heartbeatError(context.Cause(ctx)), true
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		activity.GetLogger(ctx).Info("attempt failed", "class", ClassTimedOut, "error", failure(err).Text)
		return ctx.Err(), false
	default:
		return ctx.Err(), false
	}
}

// stopping reports whether the worker is shutting down. Temporal would take that for a cancellation
// of the copy.
func stopping(ctx context.Context) bool {
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		return true
	default:
		return false
	}
}

// endedByHeartbeat reports whether the SDK cancelled ctx because a heartbeat failed, or because its
// answer was that the activity is paused or reset. The SDK cancels the same context if Temporal
// requested the cancellation, but then the cause has a type of its own. An application error lets
// the workflow see the attempt's progress; a bare context error doesn't.
func endedByHeartbeat(ctx context.Context) bool {
	cause := context.Cause(ctx)
	return errors.Is(ctx.Err(), context.Canceled) && !errors.Is(cause, context.Canceled) && !temporal.IsCanceledError(cause)
}

// heartbeatError returns the error of an attempt that a heartbeat ended, by the cause of its
// context's end.
func heartbeatError(cause error) error {
	_, unknown := errors.AsType[*serviceerror.NotFound](cause)
	switch {
	case errors.Is(cause, activity.ErrActivityPaused):
		return errPaused
	case errors.Is(cause, activity.ErrActivityReset):
		return errReset
	case unknown:
		return fmt.Errorf("%w: %w", errEnded, cause)
	}
	return fmt.Errorf("%w: %w", errHeartbeat, cause)
}
