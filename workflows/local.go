package workflows

import (
	"errors"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// localFirst names the change since which a brief activity starts with a local attempt. Runs of
// earlier builds have ordinary activities only. The same marker tells later changes, so that a run
// records no other one.
const localFirst = "local-first"

// The versions of localFirst, after workflow.DefaultVersion.
const (
	localAttempts = 1
	outcomes      = 2 // The end of each round is in search attributes
)

// version returns the version of localFirst that the run has.
func (c *copyObject) version(ctx workflow.Context) workflow.Version {
	return workflow.GetVersion(ctx, localFirst, workflow.DefaultVersion, outcomes)
}

// maxReason is the longest failure in a summary, in bytes. Temporal allows 400 bytes for a summary
// (limit.userMetadataSummarySize), and a URL takes 150.
const maxReason = 120

// look runs HeadSource. The activities of a copy with low priority are never local: a local attempt
// runs inside a workflow task, which has no low priority.
func (c *copyObject) look(ctx workflow.Context, out *activities.HeadSourceResult) error {
	summary := "look for " + c.label()
	input := func() any { return activities.HeadSourceInput{Source: c.in.Source, Low: c.in.Low} }
	c.drain(ctx)
	if !c.in.Low {
		final, err := c.local(ctx, summary, c.activities.HeadSource, input(), out)
		if final {
			return err
		}
		summary = after(err, summary)
	}
	return c.execute(ctx, headSourceOptions(summary), c.activities.HeadSource, input, out)
}

// updateCache runs UpdateCache.
func (c *copyObject) updateCache(ctx workflow.Context, summary string, in activities.UpdateCacheInput) error {
	in.Source, in.Generation, in.Known = c.in.Source, c.generation, c.headed
	final, err := c.local(ctx, summary, c.activities.UpdateCache, in, nil)
	if final {
		return err
	}
	return workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, updateCacheOptions(after(err, summary))),
		c.activities.UpdateCache, in).Get(ctx, nil)
}

// after returns the summary of the ordinary activity after a local attempt that ended with err. The
// Web UI's timeline shows no failure of a local attempt itself.
func after(err error, summary string) string {
	if err == nil {
		return summary
	}
	text := err.Error()
	if f, ok := failureOf(err); ok {
		text = f.Text
	}
	return summary + ", after a local attempt: " + strings.ToValidUTF8(text[:min(len(text), maxReason)], "")
}

// local makes the first attempt at a brief activity, in the worker that runs the workflow task. It
// returns false if the ordinary activity follows, with its retries: the attempt failed and may be
// repeated, or ctx is cancelled. The attempt itself is never cancelled. Temporal would not wait for
// its end, and it could renew the lease of a run that has ended.
func (c *copyObject) local(ctx workflow.Context, summary string, activity, input, out any) (final bool, err error) {
	if c.version(ctx) < localAttempts || ctx.Err() != nil {
		return false, nil
	}
	attempt, cancel := workflow.NewDisconnectedContext(workflow.WithLocalActivityOptions(ctx, localOptions(summary)))
	defer cancel()
	err = workflow.ExecuteLocalActivity(attempt, activity, input).Get(attempt, out)
	permanent, ok := errors.AsType[*temporal.ApplicationError](err)
	return err == nil || ok && permanent.NonRetryable(), err
}
