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
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// Failure is the reason why a copy failed. It is the first detail of every error that an activity
// returns.
type Failure struct {
	Class     string `json:"class"`
	Status    int    `json:"status,omitempty"`
	Permanent bool   `json:"permanent"`
	Text      string `json:"text"`
}

// The error classes that are not an [origin.Class], and ClassChanged, which the workflow acts on.
const (
	ClassChanged   = string(origin.ClassChanged) // The source changed since HeadSource
	ClassPurged    = "Purged"                    // The object was purged while the copy was made
	ClassStalled   = "SourceStalled"             // The source sent nothing, or too little, for too long
	ClassDigest    = "DigestMismatch"            // The source does not have the digest that the request expects
	ClassHandover  = "HandedOver"                // The worker stopped or could not heartbeat; another attempt resumes
	ClassStorage   = "StorageFailed"             // The bucket refused a request or did not answer
	ClassCache     = "CacheFailed"               // Redis did not answer
	ClassSealed    = "SealedQuery"               // The worker can't read the URL's query
	ClassCancelled = "Cancelled"                 // An operator or a purge cancelled the copy
	ClassInternal  = "InternalError"             // Anything else
)

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

// errStorage and errCache mark the side that an error came from.
var (
	errStorage = errors.New("storage")
	errCache   = errors.New("cache")
)

// handoverDelay makes the retry immediate. Zero would mean the retry policy's own delay.
const handoverDelay = time.Millisecond

// failure classifies an error. Only here does an error become permanent.
func failure(err error) (_ Failure, retryAfter time.Duration) {
	f := Failure{Class: ClassInternal, Text: err.Error()}
	var source *origin.Error
	switch {
	case errors.Is(err, cache.ErrPurged):
		f.Class, f.Permanent = ClassPurged, true
	case errors.Is(err, copier.ErrStalled):
		f.Class = ClassStalled
	case errors.Is(err, copier.ErrExpected):
		f.Class = ClassDigest
	case errors.Is(err, errHandover), errors.Is(err, errHeartbeat):
		f.Class, retryAfter = ClassHandover, handoverDelay
	case errors.Is(err, ErrSealed):
		// Retry: the next worker may have the right key.
		f.Class = ClassSealed
	case errors.As(err, &source):
		f.Class, f.Status, f.Permanent = string(source.Class), source.Status, source.Permanent
		f.Text = source.Error()
		retryAfter = source.RetryAfter
	case errors.Is(err, copier.ErrBucket), errors.Is(err, errStorage), errors.Is(err, errBucketStalled):
		f.Class = ClassStorage
	case errors.Is(err, errCache):
		f.Class = ClassCache
	}
	if len(f.Text) > maxErrorText {
		// Temporal sends the failure as protobuf, which refuses half a rune.
		f.Text = strings.ToValidUTF8(f.Text[:maxErrorText], "")
	}
	return f, retryAfter
}

// outcome turns an error into an application error of Temporal. Its type is the error class, its
// details are a [Failure] and more, and the source's Retry-After is the delay of the next retry. A
// cancellation stays a cancellation.
func outcome(ctx context.Context, err error, more ...any) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() == nil || errors.Is(err, cache.ErrPurged) || errors.Is(err, errHandover):
	case stopping(ctx):
		err = errHandover
	case endedByHeartbeat(ctx):
		err = fmt.Errorf("%w: %w", errHeartbeat, context.Cause(ctx))
	default:
		return ctx.Err()
	}
	f, retryAfter := failure(err)
	return temporal.NewApplicationErrorWithOptions(f.Text, f.Class, temporal.ApplicationErrorOptions{
		// If the source changed, only the workflow can run HeadSource again. If it lacks the
		// expected digest, a retry can't help this request, but the failure is not permanent for
		// other requests.
		NonRetryable:   f.Permanent || f.Class == ClassChanged || f.Class == ClassDigest,
		NextRetryDelay: retryAfter,
		Details:        append([]any{f}, more...),
	})
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
