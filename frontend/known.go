package frontend

import (
	"strings"

	"github.com/maypok86/otter/v2"

	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
)

// known keeps the targets of recent redirects by path, on the mirror route by path and query. The
// target of a path never changes, so entries are only evicted for room. A path with the region auto
// has a target for each region.
type known struct {
	targets *otter.Cache[string, *knownTarget]
}

// A knownTarget is a target with its prepared answers.
type knownTarget struct {
	*flight.Target
	answers answers
	copies  *copyCounters
	// mirror is set if the path is one of the mirror route.
	mirror *mirrored
}

// knownSize estimates a known target without its texts, in bytes: the structs, the table's nodes,
// and two presigned answers.
const knownSize = 1700

// newKnown bounds the table by entries and by estimated bytes. It keeps none if either is zero.
func newKnown(entries int, bytes int64) known {
	if entries <= 0 || bytes <= 0 {
		return known{}
	}
	share := uint32(min(bytes/int64(entries), 1<<30)) //nolint:gosec // It is bounded.
	return known{otter.Must(&otter.Options[string, *knownTarget]{
		MaximumWeight: uint64(bytes),
		Weigher: func(path string, t *knownTarget) uint32 {
			return max(share, uint32(min(knownSize+len(path)+len(t.Object.URL)+len(t.Key), 1<<30)))
		},
	})}
}

func (k known) get(path string) (*knownTarget, bool) {
	if k.targets == nil {
		return nil, false
	}
	return k.targets.GetIfPresent(path)
}

// add keeps the new target of a path that the router resolved, and returns the target that is kept:
// an older one if there is one. If the path has the region auto, the target is kept for its region.
// The space keeps clients from requesting that key.
//
// The path is a part of the request line. add must not keep that line as a whole.
func (k known) add(path string, t *knownTarget, auto bool) *knownTarget {
	if auto {
		path = t.Object.Region + " " + path
	}
	if kept, ok := k.get(path); ok {
		return kept
	}
	k.keep(path, t)
	return t
}

func (k known) keep(path string, t *knownTarget) {
	if k.targets != nil {
		k.targets.Set(strings.Clone(path), t)
	}
}
