package flight

import (
	"sync/atomic"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// A Target identifies one object in one pool, with the cache key of its entry. It must not be
// copied.
type Target struct {
	Pool   *Pool
	Object storage.Object
	Key    string
	// MinSize is the size of the smallest object that is copied, in bytes. It is not a part of the
	// identity. Set it before the first use.
	MinSize int64
	// Upstream is the name of the configured upstream behind a mirror request, otherwise empty. Set
	// it before the first use.
	Upstream string

	due        atomic.Int64 // Of its verification: see chores.offer.
	refreshDue atomic.Int64 // The same of its refresh.
}

// NewTarget returns the target of a canonical source URL; see [storage.Object].
func NewTarget(p *Pool, url string) *Target {
	o := storage.Object{Service: p.Service, Region: p.Region, URL: url}
	return &Target{Pool: p, Object: o, Key: p.Space.Key(o.Hash())}
}

// flightID identifies the flight of a target. Clients with different minimum sizes don't share a
// flight: an object can be too small for some of them.
type flightID struct {
	key     string
	minSize int64
}

func (t *Target) id() flightID { return flightID{key: t.Key, minSize: t.MinSize} }
