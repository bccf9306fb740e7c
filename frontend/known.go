package frontend

import (
	"errors"
	"strings"
	"sync"

	"github.com/maypok86/otter/v2"

	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// known keeps the targets of recent redirects by path, on the mirror route by path and query. The
// target of a path never changes, so entries are only evicted for room. A path with the region auto
// has a target for each region.
type known struct {
	targets *otter.Cache[string, *knownTarget]
}

// A knownTarget is a target with its answers. There can be millions, so it keeps no text twice, and
// none that a hit does not need: the path holds the source's URL.
type knownTarget struct {
	kind  *kind
	path  string // As it was sent. It shares its bytes with the key of the table.
	key   string // Of the entry in the cache. It shares its bytes with the key of the near cache.
	names string // The host and the name in the key of the copy, which has the hash between them.

	answers answers
	due     flight.Due
	mirror  *mirrored // Set if the path is one of the mirror route.
}

var _ flight.Lead = (*knownTarget)(nil)

// knownSize estimates a known target without its texts, in bytes: the node and the share of the
// table (96), the target, an answer (64), and the unused ends of allocations.
const knownSize = 280

// errMoved means that a path leads to another object than before. It does not happen while the
// policy for sources and the upstreams stay the same.
var errMoved = errors.New("the path leads to another object")

// newKnown bounds the table by entries and by estimated bytes. It keeps none if either is zero.
func newKnown(entries int, bytes int64) known {
	if entries <= 0 || bytes <= 0 {
		return known{}
	}
	share := uint32(min(bytes/int64(entries), 1<<30)) //nolint:gosec // It is bounded.
	return known{otter.Must(&otter.Options[string, *knownTarget]{
		MaximumWeight: uint64(bytes),
		Weigher:       func(_ string, t *knownTarget) uint32 { return max(share, uint32(min(t.size(), 1<<30))) }, //nolint:gosec // It is bounded.
	})}
}

// size estimates the memory of the target, in bytes. The near cache counts the key.
func (t *knownTarget) size() int {
	return knownSize + len(t.path) + len(t.names) + t.answers.own() + t.mirror.size()
}

func (k known) get(path string) (*knownTarget, bool) {
	if k.targets == nil {
		return nil, false
	}
	return k.targets.GetIfPresent(path)
}

// add keeps the new target of a path that the router resolved, and returns the known target that is
// kept: an older one if there is one. m is set for a path of the mirror route. If the path has the
// region auto, the target is kept for its region.
//
// The path is a part of the request line. add must not keep that line as a whole.
func (k known) add(path string, of *kind, t *flight.Target, m *mirrored, auto bool) *knownTarget {
	id := path
	if auto {
		id = autoID(t.Object.Region, path)
	}
	if kept, ok := k.get(id); ok {
		return kept
	}
	id = strings.Clone(id)
	host, rest, _ := strings.Cut(t.Object.Key(), "/")
	_, name, _ := strings.Cut(rest, "/")
	added := &knownTarget{kind: of, path: id[len(id)-len(path):], key: t.Key, names: host + "/" + name, mirror: m}
	if k.targets != nil {
		k.targets.Set(id, added)
	}
	return added
}

// autoID is the key of a path with the region auto. The space keeps clients from requesting it.
func autoID(region, path string) string { return region + " " + path }

// reweigh counts the memory of a known target again. Call it after the target has grown.
func (k known) reweigh(t *knownTarget) {
	for _, id := range []string{t.path, autoID(t.kind.Pool.Region, t.path)} {
		if kept, ok := k.get(id); ok && kept == t {
			k.targets.Set(id, t)
		}
	}
}

// Chores is [flight.Lead.Chores].
func (t *knownTarget) Chores() (*flight.Kind, *flight.Due) { return &t.kind.Kind, &t.due }

// Target is [flight.Lead.Target]. It resolves the path again.
func (t *knownTarget) Target() (*flight.Target, error) {
	url, err := t.kind.sourceOf(t.path)
	if err != nil {
		return nil, err
	}
	target := flight.NewTarget(t.kind.Pool, url)
	if target.Key != t.key {
		return nil, errMoved
	}
	target.Kind = t.kind.Kind
	return target, nil
}

// appendCopy appends the key of the copy to dst: see [storage.Object.Key]. It allocates nothing if
// dst has the room.
func (t *knownTarget) appendCopy(dst []byte) []byte {
	host, name, _ := strings.Cut(t.names, "/")
	dst = append(append(dst, host...), '/')
	dst = t.kind.Pool.Space.AppendHash(dst, t.key)
	return append(append(dst, '/'), name...)
}

// A kind is the part of a known target that it shares with others.
type kind struct {
	kindID
	// sourceOf returns the canonical URL in a path that led to a target of this kind.
	sourceOf func(path string) (string, error)
	forms    storage.Forms
}

// kindID identifies a kind.
type kindID struct {
	flight.Kind
	copies *copyCounters
	mirror bool
}

// kinds holds the kinds: a few for each pool and upstream. The zero value is ready.
type kinds struct {
	mu  sync.Mutex
	all map[kindID]*kind
}

// of returns the kind with that id.
func (k *kinds) of(id kindID, sourceOf func(path string) (string, error)) *kind {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil {
		k.all = map[kindID]*kind{}
	}
	found := k.all[id]
	if found == nil {
		found = &kind{kindID: id, sourceOf: sourceOf}
		k.all[id] = found
	}
	return found
}
