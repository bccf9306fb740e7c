package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

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
	// non-retryable then, but a series that stored more than the one before is worth another one.
	Exhausted bool `json:"exhausted,omitempty"`
	// Lost is set if the copy gave its holds back, and lost all bytes that the attempt had fetched.
	Lost bool   `json:"lost,omitempty"`
	Text string `json:"text"`
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
	ClassRejected  = "BucketRejected" // The bucket rejected the complete object, or stored another one
	ClassCache     = "CacheFailed"    // Redis did not answer
	ClassSealed    = "SealedQuery"    // The worker can't read the URL's query
	ClassCancelled = "Cancelled"      // An operator cancelled the copy
	ClassExpired   = "CopyExpires"    // The bucket deletes the copy too soon after it was made
	ClassInternal  = "InternalError"  // Anything else
)

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
		f.Permanent, f.RetryAfter, f.Text = source.Permanent, source.RetryAfter, source.Error()
	case errors.Is(err, storage.ErrRejected), errors.Is(err, storage.ErrMismatch):
		f.Class = ClassRejected
	case errors.Is(err, copier.ErrBucket), errors.Is(err, errStorage), errors.Is(err, errBucketStalled):
		f.Class = ClassStorage
	case errors.Is(err, errCache):
		f.Class = ClassCache
	}
	if len(f.Text) > maxErrorText {
		// Temporal sends the failure as protobuf, which refuses half a rune.
		f.Text = strings.ToValidUTF8(f.Text[:maxErrorText], "")
	}
	return f
}

// final reports whether no attempt follows the failure. A slow source would only hold a slot again.
func (f Failure) final() bool {
	return f.Permanent || f.Class == ClassTooSlow
}

// free reports whether the attempt used up none of the attempts of its series: the copy itself did
// not fail. An attempt that lost its fetched bytes counts, so that downloads are bounded.
func (f Failure) free() bool {
	switch f.Class {
	case ClassHandover, ClassTurn, string(origin.ClassBusy):
		return !f.Lost
	}
	return false
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
	return f.toTemporal(f.Permanent)
}

// ended returns the error that an activity ends with. It returns false for a success and for a
// cancellation.
func ended(ctx context.Context, err error) (_ error, failed bool) {
	switch {
	case err == nil:
		return nil, false
	case ctx.Err() == nil || errors.Is(err, cache.ErrPurged) || errors.Is(err, errHandover):
		return err, true
	case stopping(ctx):
		return errHandover, true
	case endedByHeartbeat(ctx):
		return fmt.Errorf("%w: %w", errHeartbeat, context.Cause(ctx)), true
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
