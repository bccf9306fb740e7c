package flight

import (
	"sync/atomic"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// A Target identifies one object in one pool, with the cache key of its entry. It must not be
// copied.
type Target struct {
	Kind
	Object storage.Object
	Key    string

	due Due
}

// A Kind is the part of a target that it shares with other targets.
type Kind struct {
	Pool *Pool
	// MinSize is the size of the smallest object that is copied, in bytes. It is not a part of the
	// identity. Set it before the first use.
	MinSize int64
	// Upstream is the name of the configured upstream behind a mirror request, otherwise empty. Set
	// it before the first use.
	Upstream string
}

// Due is when the chores of a target are due; see chores.offer. The zero value is now.
type Due struct{ verification, refresh atomic.Int64 }

// A Lead leads to a target. It is the target itself, or takes less memory than its target.
type Lead interface {
	// Chores returns the kind of the target, and when its chores are due. It allocates nothing.
	Chores() (*Kind, *Due)
	// Target returns the target. It fails if the lead leads to no target any more.
	Target() (*Target, error)
}

var _ Lead = (*Target)(nil)

// NewTarget returns the target of a canonical source URL; see [storage.Object].
func NewTarget(p *Pool, url string) *Target {
	o := storage.Object{Service: p.Service, Region: p.Region, URL: url}
	return &Target{Kind: Kind{Pool: p}, Object: o, Key: p.Space.Key(o.Hash())}
}

// Chores is [Lead.Chores].
func (t *Target) Chores() (*Kind, *Due) { return &t.Kind, &t.due }

// Target is [Lead.Target]. It returns t.
func (t *Target) Target() (*Target, error) { return t, nil }

// flightID identifies the flight of a target. Clients with different minimum sizes don't share a
// flight: an object can be too small for some of them.
type flightID struct {
	key     string
	minSize int64
}

func (t *Target) id() flightID { return flightID{key: t.Key, minSize: t.MinSize} }
