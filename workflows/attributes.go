package workflows

import (
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// ServiceAttribute is a search attribute of copies: the service of the pool. All search attributes
// have the type Keyword, and must be registered before the first workflow starts. An unregistered
// attribute blocks a workflow for ever.
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

// ErrorClassAttribute is the error class of a failed copy. A copy that completed without an object
// has [activities.ClassTooSmall].
func ErrorClassAttribute() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("MirrorErrorClass")
}

// Attributes returns the search attributes with which an object's copy starts.
func Attributes(s activities.SealedObject) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(
		ServiceAttribute().ValueSet(s.Service),
		RegionAttribute().ValueSet(s.Region),
		HostAttribute().ValueSet(Host(s)),
	)
}

// AttributeNames returns the names of all search attributes.
func AttributeNames() []string {
	return []string{
		ServiceAttribute().GetName(), RegionAttribute().GetName(),
		HostAttribute().GetName(), ErrorClassAttribute().GetName(),
	}
}
