package frontend

import (
	"github.com/maypok86/otter/v2"
)

// targets are those that were asked for lately, by the path that named them. What a path names never changes, so that
// nothing has to be dropped but for room.
type targets struct{ all *otter.Cache[string, *target] }

// targetSize is what a target costs beyond its texts, in bytes: structs and the table's nodes, and two presigned answers.
const targetSize = 1700

// newTargets bounds them by number and by an estimate of their bytes; none are kept if either is 0.
func newTargets(entries int, bytes int64) targets {
	if entries <= 0 || bytes <= 0 {
		return targets{}
	}
	share := uint32(min(bytes/int64(entries), 1<<30)) //nolint:gosec // it is bounded
	return targets{otter.Must(&otter.Options[string, *target]{
		MaximumWeight: uint64(bytes),
		Weigher: func(path string, t *target) uint32 {
			return max(share, uint32(min(targetSize+len(path)+len(t.object.URL)+len(t.key), 1<<30)))
		},
	})}
}

func (t targets) get(path string) (*target, bool) {
	if t.all == nil {
		return nil, false
	}
	return t.all.GetIfPresent(path)
}

func (t targets) keep(path string, found *target) {
	if t.all != nil {
		t.all.Set(path, found)
	}
}
