package upstream

import "errors"

// Options configures one upstream.
type Options struct {
	// Name is the first segment of the upstream's paths. Empty is the host of URL.
	Name string
	// URL is the root of the upstream, https or http.
	URL string
	// Copy lists the rules: names of built-in sets, or expressions (RE2) that begin with ^. A path
	// that matches one of them is immutable.
	Copy []string
	// MinSize is the size of the smallest object that is copied, in bytes.
	MinSize int64
}

// An Upstream is a server that clients reach through the mirror.
type Upstream struct {
	Name string
	// Root is canonical and ends in a slash.
	Root    string
	MinSize int64
}

// A Match is the result of [Set.Resolve].
type Match struct {
	Upstream *Upstream
	// URL is the URL of the source.
	URL string
	// Copy is set if the object is immutable, and its copy is allowed.
	Copy bool
	// SHA256 is the digest that the path names, in lower-case hex. Empty is none.
	SHA256 string
}

// ErrUnknown means that no upstream is configured for a path.
var ErrUnknown = errors.New("no such upstream")

// A PathError refuses a path. Its text is safe for clients.
type PathError struct{ Text string }

func (e *PathError) Error() string { return e.Text }

// A Set holds the configured upstreams. It is safe for concurrent use.
type Set struct{}

// New returns the set of the given upstreams. Its errors name the upstream and the fault.
func New(all []Options) (*Set, error) { return &Set{}, nil }

// Resolve resolves the target of a request: everything behind the region, as it was sent, query
// included. It fails with [ErrUnknown] or a [*PathError].
func (s *Set) Resolve(target string) (Match, error) { return Match{}, ErrUnknown }

// Names returns the names of all upstreams, in the order of configuration.
func (s *Set) Names() []string { return nil }

// Roots returns the prefixes of URLs that the policy for sources must allow: the roots of all
// upstreams, and of the hosts to which the built-in sets redirect. Each ends in a slash.
func (s *Set) Roots() []string { return nil }

// Name returns the name of the upstream with the longest root that is a prefix of a canonical URL.
// It is empty if there is none.
func (s *Set) Name(url string) string { return "" }
