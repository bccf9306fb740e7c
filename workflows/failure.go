package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// failureOf returns the Failure in an activity's error. The type of an activity's own error is its
// class: an operator who fails an activity gives it details at most.
func failureOf(err error) (activities.Failure, bool) {
	var app *temporal.ApplicationError
	var f activities.Failure
	if !errors.As(err, &app) || app.Type() == "" || app.Details(&f) != nil {
		return activities.Failure{}, false
	}
	return f, true
}

// unreported returns the Failure of an error that has none: no attempt reported it.
func unreported(err error) activities.Failure {
	f := activities.Failure{Class: activities.ClassInternal}
	app, isApp := errors.AsType[*temporal.ApplicationError](err)
	timeout, isTimeout := errors.AsType[*temporal.TimeoutError](err)
	_, isActivity := errors.AsType[*temporal.ActivityError](err)
	switch {
	case isApp && app.Type() == "" && app.NonRetryable(): // By `temporal activity fail`
		f.Class, f.Text = activities.ClassOperator, "an operator failed the activity: "+app.Message()
	case isTimeout:
		f.Class, f.Text = activities.ClassTimedOut, "the activity timed out: "+timeout.TimeoutType().String()
	case !isActivity:
		f.Class = activities.ClassResult
		f.Text = "the result of the activity can't be decoded: an operator or another build completed it: " + err.Error()
	default:
		f.Text = err.Error()
	}
	f.Text = activities.ErrorText(f.Text)
	return f
}

// progressOf returns the progress of a StreamCopy that can be resumed: from its error or, if its
// worker was lost, from its last heartbeat.
func progressOf(err error) (p activities.Progress, ok bool) {
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		var f activities.Failure
		if app.Type() == "" || app.Details(&f, &p) != nil {
			return p, false
		}
		// Any other non-retryable error ended the series before its attempts ran out.
		return p, !app.NonRetryable() || f.Exhausted
	}
	if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok && timeout.HasLastHeartbeatDetails() {
		return p, timeout.LastHeartbeatDetails(&p) == nil
	}
	return p, false
}
