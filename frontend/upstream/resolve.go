package upstream

import "strings"

// Errors of [Set.Resolve]. They are made once: a refusal allocates nothing.
var (
	errBytes error = &PathError{"The path holds a space, a control character or #"}
	errUnder error = &PathError{"The path holds dot segments or encoded slashes, which could lead out of its upstream"}
)

// Resolve resolves the target of a request: everything behind the region, as it was sent, query
// included. It decodes nothing. These forms lead to an upstream:
//
//   - <name>/<path>. Names are compared without regard to case, as hosts are.
//   - https://<host>/<path> or http://<host>/<path>, and with one slash. Then the upstream with
//     that scheme and host has it, and of several the one with the longest root. The default port
//     may be given, and so may a trailing dot of the host.
//
// More slashes than two would be an empty host, which no upstream has.
//
// It fails with [ErrUnknown], or with a [*PathError] if the target holds a space, a control
// character or #. If the upstream has a root below "/", it also refuses paths with dot segments,
// with backslashes, and with encoded dots, slashes, backslashes and control characters. Under other
// roots such paths are never copied.
func (s *Set) Resolve(target string) (Match, error) {
	if !isPrintable(target) {
		return Match{}, errBytes
	}
	path, query, _ := strings.Cut(target, "?")
	e, below := s.find(path)
	if e == nil {
		return Match{}, ErrUnknown
	}
	rest := target[len(path)-len(below):] // Begins with a slash, unless the path has ended.
	if below == "" {
		below = "/"
	} else {
		rest = rest[1:]
	}
	found := faults(below)
	if found&unsafe != 0 && e.path != "/" {
		return Match{}, errUnder
	}
	m := Match{Upstream: &e.Upstream, URL: e.Root + rest}
	if found == 0 && !signed(query) {
		m.SHA256, m.Copy = e.immutable(below)
	}
	return m, nil
}

// find returns the upstream of a path, and the path below its root with the leading slash.
func (s *Set) find(path string) (*entry, string) {
	first, _, _ := strings.Cut(path, "/")
	below := path[len(first):]
	e := s.names[first]
	if e == nil && hasUpper(first) {
		first = lowerASCII(first)
		e = s.names[first]
	}
	if e == nil && (first == "https:" || first == "http:") {
		return s.findURL(first == "http:", below)
	}
	return e, below
}

// findURL resolves an absolute URL behind its scheme and colon.
func (s *Set) findURL(http bool, rest string) (*entry, string) {
	authority, ok := strings.CutPrefix(rest, "/")
	if !ok {
		return nil, ""
	}
	authority = strings.TrimPrefix(authority, "/")
	path := ""
	if i := strings.IndexByte(authority, '/'); i >= 0 {
		authority, path = authority[:i], authority[i:]
	}
	if hasUpper(authority) {
		authority = lowerASCII(authority)
	}
	for _, e := range s.hosts[host{http, trimDot(trimDefaultPort(authority, http))}] {
		dir := e.path[:len(e.path)-1]
		if below, ok := strings.CutPrefix(path, dir); ok && (below == "" || below[0] == '/') {
			return e, below
		}
	}
	return nil, ""
}

func hasUpper(s string) bool {
	if len(s) > maxHost+len(":65535") { // No upstream has such a name.
		return false
	}
	for i := range len(s) {
		if isUpper(s[i]) {
			return true
		}
	}
	return false
}

// immutable reports whether a rule names the path, which begins with a slash.
func (e *entry) immutable(path string) (digest string, ok bool) {
	for _, known := range e.sets {
		if digest, ok := known.immutable(path[1:]); ok {
			return digest, true
		}
	}
	for _, rule := range e.rules {
		if rule.MatchString(path) {
			return "", true
		}
	}
	return "", false
}
