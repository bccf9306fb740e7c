package workflows

import (
	"strconv"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
)

// ServiceAttribute is a search attribute of copies: the service of the pool. All search attributes
// must be registered before the first workflow starts. An unregistered attribute blocks a workflow
// for ever.
func ServiceAttribute() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("MirrorService")
}

// RegionAttribute is the region of the pool.
func RegionAttribute() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("MirrorRegion")
}

// HostAttribute is the source's host.
func HostAttribute() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("MirrorHost")
}

// ErrorClassAttribute is the error class of a copy that failed, was cancelled or was purged. The status
// follows the class BadHTTPStatus, as in BadHTTPStatus-404. A copy that completed without an object has
// [activities.ClassTooSmall].
func ErrorClassAttribute() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("MirrorErrorClass")
}

// HTTPStatusAttribute is the source's status, if it ended the copy.
func HTTPStatusAttribute() temporal.SearchAttributeKeyInt64 {
	return temporal.NewSearchAttributeKeyInt64("MirrorHTTPStatus")
}

// BytesAttribute is the size of the object that the bucket has, in bytes. Only a copy that completed
// with an object has it; see [AttemptsAttribute].
func BytesAttribute() temporal.SearchAttributeKeyInt64 {
	return temporal.NewSearchAttributeKeyInt64("MirrorBytes")
}

// AttemptsAttribute is the number of attempts at the copy, without those that only waited for their
// turn. It is 0 if the bucket had the object. Attempts that were cancelled or timed out together count
// as one. Its type is Keyword: an SQL visibility store has three
// attributes of the type Int for each namespace. A small object that was found, or copied at the first
// attempt, has neither attribute: Temporal Cloud bills their update, as a fourth of the copy.
func AttemptsAttribute() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("MirrorAttempts")
}

// Attributes returns the search attributes with which an object's copy starts.
func Attributes(s activities.SealedObject) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(
		ServiceAttribute().ValueSet(s.Service),
		RegionAttribute().ValueSet(s.Region),
		HostAttribute().ValueSet(Host(s)),
	)
}

// AttributeKeys returns all search attributes.
func AttributeKeys() []temporal.SearchAttributeKey {
	return []temporal.SearchAttributeKey{
		ServiceAttribute(), RegionAttribute(), HostAttribute(), ErrorClassAttribute(), HTTPStatusAttribute(), BytesAttribute(),
		AttemptsAttribute(),
	}
}

// ownAttributes names the change since which a copy that was started by hand gets the search attributes
// that the bridge sets.
const ownAttributes = "own-attributes"

// own sets the search attributes with which the bridge starts a copy, unless the run has them.
func (c *copyObject) own(ctx workflow.Context) {
	if _, ok := workflow.GetTypedSearchAttributes(ctx).GetKeyword(HostAttribute()); ok ||
		workflow.GetVersion(ctx, ownAttributes, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return
	}
	s := c.in.Source
	c.upsert(ctx, ServiceAttribute().ValueSet(s.Service), RegionAttribute().ValueSet(s.Region), HostAttribute().ValueSet(Host(s)))
}

// outcome is the end of a round, for search attributes.
type outcome struct {
	class  string
	label  string // The class, and a status that belongs to it
	status int    // Of the source; 0 if it did not end the round
	bytes  int64  // Of the object; -1 without one
}

// failedWith returns the outcome of a round that failed.
func failedWith(f activities.Failure) outcome {
	return outcome{class: f.Class, label: f.Label(), status: f.Status, bytes: -1}
}

// plain reports whether the outcome is that of most copies.
func (o outcome) plain(attempts int32) bool {
	return o.class == "" && o.bytes <= copier.Small && attempts <= 1
}

// none reports whether there is no outcome yet.
func (o outcome) none() bool { return o == outcome{bytes: -1} }

// describe sets the outcome as search attributes, and removes what an earlier round left. A run that
// started before 2026-11-27 has an error class only.
func (c *copyObject) describe(ctx workflow.Context, o outcome) {
	if c.version(ctx) < outcomes {
		c.classify(ctx, o.class)
		return
	}
	if o.plain(c.attempts) && c.last.none() {
		return
	}
	attempts := AttemptsAttribute().ValueSet(strconv.Itoa(int(c.attempts)))
	if o.none() {
		attempts = AttemptsAttribute().ValueUnset()
	}
	updates := []temporal.SearchAttributeUpdate{attempts}
	if o.class != "" {
		updates = append(updates, ErrorClassAttribute().ValueSet(o.label))
	} else if c.last.class != "" {
		updates = append(updates, ErrorClassAttribute().ValueUnset())
	}
	if o.status != 0 {
		updates = append(updates, HTTPStatusAttribute().ValueSet(int64(o.status)))
	} else if c.last.status != 0 {
		updates = append(updates, HTTPStatusAttribute().ValueUnset())
	}
	if o.bytes >= 0 {
		updates = append(updates, BytesAttribute().ValueSet(o.bytes))
	} else if c.last.bytes >= 0 {
		updates = append(updates, BytesAttribute().ValueUnset())
	}
	c.last = o
	c.upsert(ctx, updates...)
}

// forget removes the outcome: the next run inherits the search attributes.
func (c *copyObject) forget(ctx workflow.Context) {
	c.attempts = 0
	c.describe(ctx, outcome{bytes: -1})
}

// classify sets the error class as a search attribute, or removes the class of an earlier round.
func (c *copyObject) classify(ctx workflow.Context, class string) {
	update := ErrorClassAttribute().ValueSet(class)
	if class == "" {
		if c.last.class == "" {
			return
		}
		update = ErrorClassAttribute().ValueUnset()
	}
	c.last.class = class
	c.upsert(ctx, update)
}

func (c *copyObject) upsert(ctx workflow.Context, updates ...temporal.SearchAttributeUpdate) {
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Warn("search attributes not set", "error", err)
	}
}
