package upstream

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Set holds the configured upstreams. It is safe for concurrent use. The zero Set has none.
type Set struct {
	all    []*entry // In the order of configuration.
	byRoot []*entry // The longest root first.
	names  map[string]*entry
	hosts  map[host][]*entry // The longest root first.
}

// host is a scheme and an authority.
type host struct {
	http bool
	name string
}

// entry is an upstream with its rules.
type entry struct {
	Upstream
	host  host
	path  string // Of the root. It begins and ends in a slash.
	sets  []builtIn
	rules []*regexp.Regexp
}

// New returns the set of the given upstreams. Its error is an [*OptionsError] that names the
// upstream and the fault.
func New(all []Options) (*Set, error) {
	s := &Set{names: map[string]*entry{}, hosts: map[host][]*entry{}}
	for i, o := range all {
		e, err := newEntry(o)
		if err == nil {
			err = s.add(e)
		}
		if err != nil {
			err.Index, err.name = i, strconv.Quote(o.Name)
			if o.Name == "" {
				err.name = strconv.Itoa(i)
			}
			return nil, err
		}
	}
	s.byRoot = slices.Clone(s.all)
	slices.SortStableFunc(s.byRoot, longer)
	for _, same := range s.hosts {
		slices.SortStableFunc(same, longer)
	}
	return s, nil
}

func longer(a, b *entry) int { return len(b.Root) - len(a.Root) }

func (s *Set) add(e *entry) *OptionsError {
	if s.names[e.Name] != nil {
		return fault("name", "%q is already the name of another upstream", e.Name)
	}
	if slices.ContainsFunc(s.all, func(other *entry) bool { return other.Root == e.Root }) {
		return fault("url", "%s is already the root of another upstream", e.Root)
	}
	s.all, s.names[e.Name] = append(s.all, e), e
	s.hosts[e.host] = append(s.hosts[e.host], e)
	return nil
}

func newEntry(o Options) (*entry, *OptionsError) {
	e, text := parseRoot(o.URL)
	if text != "" {
		return nil, fault("url", "%s", text)
	}
	if e.host.http && !o.Insecure {
		return nil, fault("url", "is http, and only https sources are allowed")
	}
	if e.Name = o.Name; o.Name == "" {
		e.Name = e.host.name
	}
	if !isName(e.Name) {
		return nil, fault("name", "%q is not a name: use a-z, 0-9 and . _ : -, and neither none, http: nor https:", e.Name)
	}
	if e.MinSize = o.MinSize; e.MinSize < 0 {
		return nil, fault("min_size", "is negative")
	}
	for i, rule := range o.Copy {
		field := "copy[" + strconv.Itoa(i) + "]"
		if known, ok := builtInSet(rule); ok {
			e.sets = append(e.sets, known)
			continue
		}
		if !strings.HasPrefix(rule, "^") {
			return nil, fault(field, "%q is neither a built-in set (%s) nor an expression that begins with ^", rule, strings.Join(BuiltIn(), ", "))
		}
		// Compile it alone first: an unbalanced ")|(" would escape from the group that anchors it.
		if _, err := regexp.Compile(rule); err != nil {
			return nil, fault(field, "%v", err)
		}
		anchored, err := regexp.Compile(`\A(?:` + rule + `)`)
		if err != nil {
			return nil, fault(field, "%v", err)
		}
		e.rules = append(e.rules, anchored)
	}
	return e, nil
}

func fault(field, format string, args ...any) *OptionsError {
	return &OptionsError{Field: field, Text: fmt.Sprintf(format, args...)}
}

// isName reports whether s can be the first segment of a path. "none" is the label of requests
// without an upstream, in metrics.
func isName(s string) bool {
	if s == "" || s == "none" || s == "http:" || s == "https:" || !isDigit(s[0]) && !isLower(s[0]) {
		return false
	}
	return isEscaped(s, "._:-") && !strings.Contains(s, "!")
}

// Names returns the names of all upstreams, in the order of configuration.
func (s *Set) Names() []string {
	var names []string
	for _, e := range s.all {
		names = append(names, e.Name)
	}
	return names
}

// Roots returns the prefixes of URLs that the policy for sources must allow: the roots of all
// upstreams, and those to which the servers of their built-in sets redirect. Each ends in a slash.
func (s *Set) Roots() []string {
	var roots []string
	for _, e := range s.all {
		roots = append(roots, e.Root)
	}
	for _, e := range s.all {
		for _, known := range e.sets {
			for _, hop := range known.hops {
				if !slices.Contains(roots, hop) {
					roots = append(roots, hop)
				}
			}
		}
	}
	return roots
}

// Name returns the name of the upstream with the longest root that is a prefix of a canonical URL.
// It is empty if there is none.
func (s *Set) Name(url string) string {
	for _, e := range s.byRoot {
		if strings.HasPrefix(url, e.Root) {
			return e.Name
		}
	}
	return ""
}
