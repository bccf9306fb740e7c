package workflows

import (
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// ServiceAttribute is one of the search attributes by which copies are found, all of type Keyword. They must be registered
// before the first start: an unregistered one blocks a workflow for ever.
func ServiceAttribute() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("MirrorService")
}

// RegionAttribute is the region that is copied into.
func RegionAttribute() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("MirrorRegion")
}

// HostAttribute is the source's host.
func HostAttribute() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("MirrorHost")
}

// ErrorClassAttribute is why a copy failed.
func ErrorClassAttribute() temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword("MirrorErrorClass")
}

// Attributes are the search attributes that a source's copy starts with.
func Attributes(s activities.SealedObject) temporal.SearchAttributes {
	return temporal.NewSearchAttributes(
		ServiceAttribute().ValueSet(s.Service),
		RegionAttribute().ValueSet(s.Region),
		HostAttribute().ValueSet(Host(s)),
	)
}

// AttributeNames are the names of all of them.
func AttributeNames() []string {
	return []string{
		ServiceAttribute().GetName(), RegionAttribute().GetName(),
		HostAttribute().GetName(), ErrorClassAttribute().GetName(),
	}
}
