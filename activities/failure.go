package activities

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// Failure is why a copy failed. It is the details of every error that an activity returns.
type Failure struct {
	Class     string `json:"class"`
	Status    int    `json:"status,omitempty"`
	Permanent bool   `json:"permanent"`
	Text      string `json:"text"`
}

// The error classes that do not come from [origin.Class], and the one of it that the workflow acts on.
const (
	ClassChanged   = string(origin.ClassChanged) // the source is no longer what HeadSource saw
	ClassPurged    = "Purged"                    // the object was purged while it was copied
	ClassStalled   = "SourceStalled"             // the source sent nothing, or next to nothing, for too long
	ClassDigest    = "DigestMismatch"            // the source is not what the request expects
	ClassHandover  = "HandedOver"                // the worker was stopped
	ClassStorage   = "StorageFailed"             // the bucket refused or did not answer
	ClassCache     = "CacheFailed"               // redis did not answer
	ClassSealed    = "SealedQuery"               // the worker can't read the URL's query
	ClassCancelled = "Cancelled"                 // somebody cancelled the copy
	ClassInternal  = "InternalError"             // anything else
)

// maxErrorText keeps failures far below the 2 MB at which Temporal makes any error non-retryable, in bytes.
const maxErrorText = 1024

// Causes of the context of a copy that is ended from here.
var (
	errBucketStalled = errors.New("the bucket took nothing")
	errHandover      = errors.New("the worker is stopping, another one goes on")
)

// errStorage and errCache mark which side an error came from.
var (
	errStorage = errors.New("storage")
	errCache   = errors.New("cache")
)

// handoverDelay is as good as at once; zero would mean the retry policy's own delay.
const handoverDelay = time.Millisecond

// failure classifies an error. This is the only place where one becomes permanent.
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
	case errors.Is(err, errHandover):
		f.Class, retryAfter = ClassHandover, handoverDelay
	case errors.Is(err, ErrSealed):
		// A worker with the right key may be the next to try.
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
		// A failure is sent as protobuf, which takes no half runes.
		f.Text = strings.ToValidUTF8(f.Text[:maxErrorText], "")
	}
	return f, retryAfter
}

// outcome turns an error into the form that Temporal keeps: type is the error class, details are a [Failure] and more, and
// the source's Retry-After is the next retry's delay. Cancellation stays what it is.
func outcome(ctx context.Context, err error, more ...any) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() == nil || errors.Is(err, cache.ErrPurged) || errors.Is(err, errHandover):
	case stopping(ctx):
		err = errHandover
	default:
		return ctx.Err()
	}
	f, retryAfter := failure(err)
	return temporal.NewApplicationErrorWithOptions(f.Text, f.Class, temporal.ApplicationErrorOptions{
		// What HeadSource saw is no longer there: only the workflow can go back to it. What the request expects is not there,
		// which says nothing of other requests.
		NonRetryable:   f.Permanent || f.Class == ClassChanged || f.Class == ClassDigest,
		NextRetryDelay: retryAfter,
		Details:        append([]any{f}, more...),
	})
}

// stopping tells a worker that is shut down from a copy that is cancelled: Temporal would take both for the latter.
func stopping(ctx context.Context) bool {
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		return true
	default:
		return false
	}
}
