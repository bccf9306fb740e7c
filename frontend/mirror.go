package frontend

import (
	"errors"
	"net/http"
	"strings"

	"github.com/julienschmidt/httprouter"

	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/upstream"
)

// mirrorPrefix begins the paths of the mirror route.
const mirrorPrefix = "/v1/mirror/"

// mirrors serves /v1/mirror: paths of configured upstreams. Its clients are redirected to the copy
// or to the source, whatever happens, so that it is safe in front of a package manager.
type mirrors struct {
	*redirects
	upstreams *upstream.Set
}

// mirrored holds a known path of the mirror route, besides its target.
type mirrored struct {
	sha256 string // The digest that the path names, in lower-case hex, or empty.
	head   head
}

// size estimates the memory of m, in bytes. Nil takes none.
func (m *mirrored) size() int {
	if m == nil {
		return 0
	}
	return mirroredSize + len(m.sha256) + m.head.bytes()
}

// mirroredSize is the size of a mirrored without its text and headers, in bytes.
const mirroredSize = 32

// mirror serves a path that is new, was evicted, or is never copied.
func (s *mirrors) mirror(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	m, err := s.resolve(originForm(r))
	if err != nil {
		refuse(w, s.metrics, err)
		return
	}
	region, auto, err := s.paths.region(w, r, p)
	var pools []*flight.Pool
	if err == nil {
		pools, err = s.paths.poolsOf(p.ByName("service"), region, false)
	}
	if err != nil { // A client's build must not fail because a region was removed.
		s.pass(w, m, noPool, reasonRegion)
		return
	}
	pool := pools[0]
	canonical := ""
	if m.Copy {
		// The source tells its client what is wrong with a URL that admit refuses.
		canonical, err = s.paths.canonical(m.URL)
	}
	if !m.Copy || err != nil {
		s.pass(w, m, pool.ID(), reasonBypass)
		return
	}
	target := flight.NewTarget(pool, canonical)
	target.MinSize, target.Upstream = m.Upstream.MinSize, m.Upstream.Name
	of := s.kinds.of(kindID{Kind: target.Kind, copies: s.metrics.copyCounters(target), mirror: true}, s.sourceOf)
	path := originForm(r)
	t := s.known.add(path, of, target, &mirrored{sha256: strings.Clone(m.SHA256)}, auto)
	s.serve(w, r, t, target, path, s.waits.mirrorParams(r, t.mirror.sha256))
}

// sourceOf returns the canonical URL that a path and query, as they were sent, stand for.
func (s *mirrors) sourceOf(path string) (string, error) {
	m, err := s.resolve(path)
	if err != nil {
		return "", err
	}
	return s.paths.canonical(m.URL)
}

// resolve reads a path and query as they were sent. The router's path can differ from them in bytes
// that no URL may contain.
func (s *mirrors) resolve(path string) (upstream.Match, error) {
	target, ok := strings.CutPrefix(path, mirrorPrefix)
	for range 2 { // The service and the region.
		_, target, _ = strings.Cut(target, "/")
	}
	if !ok {
		target = ""
	}
	m, err := s.upstreams.Resolve(target)
	if bad, ok := errors.AsType[*upstream.PathError](err); ok {
		return m, problem(codeInput, bad.Text)
	}
	if err != nil {
		return m, problem(codeNotFound, "No such upstream is configured here")
	}
	return m, nil
}

// pass redirects to the source without a look at the cache.
func (s *mirrors) pass(w http.ResponseWriter, m upstream.Match, pool string, why reason) {
	s.metrics.answered(pool, why, 0)
	h := w.Header()
	h["Location"], h["Cache-Status"], h["Cache-Control"] = []string{m.URL}, statusBypass, noStore
	if why == reasonRegion {
		h["Cache-Status"] = statusNoRegion
	}
	w.WriteHeader(http.StatusFound)
}

// serveUncopied serves a request that other routes refuse: one with a body, or one that comes from
// this mirror. It copies nothing. It returns false for a request to another route.
func (s *Server) serveUncopied(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasPrefix(originForm(r), mirrorPrefix) {
		return false
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.router.ServeHTTP(w, r)
		return true
	}
	if m, err := s.mirrors.resolve(originForm(r)); err != nil {
		refuse(w, s.mirrors.metrics, err)
	} else {
		s.mirrors.pass(w, m, noPool, reasonBypass)
	}
	return true
}
