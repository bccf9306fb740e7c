package origin

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/cloud-mirror/cloud-mirror/storage/paths"
)

// Allowed is one parsed entry of [Config.Allowed]. It allows the URLs with its scheme, host and
// port that have its path, or a path below it.
type Allowed struct {
	scheme string
	// host is canonical. With wild, the entry allows the hosts below it, of any depth, but not host
	// itself.
	host string
	wild bool
	port string // A number, or anyPort.
	// path begins with a slash. The path "/" allows every path.
	path string
}

// anyPort allows all ports of a loopback host.
const anyPort = "*"

// ParseAllowed parses an entry of [Config.Allowed]: a URL, or a regular expression in the narrow
// form that expression.go describes. An expression that begins with https?:// is two entries. The
// error is one sentence that quotes the entry, tells why it is refused, and suggests a rewrite if
// it knows one.
func ParseAllowed(entry string) ([]Allowed, error) {
	a, err := parseAllowedURL(entry)
	if err == nil {
		return []Allowed{a}, nil
	}
	if isExpression(entry) {
		return parseExpression(entry)
	}
	return nil, err
}

// parseAllowedURL parses scheme://host[:port][/path]. The host may begin with "*.".
func parseAllowedURL(entry string) (Allowed, error) {
	refuse := func(why string) (Allowed, error) { return Allowed{}, fmt.Errorf("%q %s", entry, why) }
	scheme, rest, ok := strings.Cut(entry, "://")
	scheme = lowerASCII(scheme)
	switch {
	case entry == "":
		return refuse("is empty: write a URL such as https://artifacts.example.com/")
	case !ok && isHostAndPath(entry):
		return refuse("has no scheme: write https://" + entry)
	case !ok || scheme != "http" && scheme != "https":
		return refuse("does not begin with https:// or http://")
	}
	authority, path, _ := strings.Cut(rest, "/")
	path = "/" + path
	switch {
	case strings.ContainsAny(rest, "?#"):
		return refuse("has a query or a fragment, which no entry can bind")
	case strings.ContainsFunc(path, notInPrefix):
		return refuse("has a path that is not literal")
	case paths.Leaves(path), !paths.ValidEscapes(path):
		return refuse("has a path with dot segments, or with escapes that servers read differently")
	}
	a := Allowed{scheme: scheme, path: path}
	name, every := strings.CutSuffix(authority, ":"+anyPort)
	name, a.wild = strings.CutPrefix(name, "*.")
	canonical, err := Canonical(scheme + "://" + name)
	if err != nil {
		return refuse("has no valid host and port")
	}
	u, err := url.Parse(canonical)
	if err != nil {
		return refuse("has no valid host and port")
	}
	a.host, a.port = u.Hostname(), portOf(u)
	switch {
	case a.wild && isAddress(a.host):
		return refuse("has a wildcard before an address")
	case every && (a.wild || !isLoopback(a.host)):
		return refuse("allows every port, which only a loopback host may: name the port")
	case every && strings.LastIndexByte(name, ':') > strings.LastIndexByte(name, ']'):
		return refuse("has no valid host and port")
	case every:
		a.port = anyPort
	}
	for _, canary := range canaries {
		if u, err := url.Parse(canary); err == nil && a.allows(u, canary) {
			return refuse("would allow " + canary)
		}
	}
	return a, nil
}

// canaries are URLs that no entry may allow. Their hosts can't exist (RFC 6761, section 6.4).
var canaries = []string{
	"https://x.invalid/", "http://x.invalid/", "https://a.example.com.x.invalid/", "http://a.example.com.x.invalid/",
	"https://x.invalid:8443/", "http://x.invalid:8080/", "https://x.invalid/a.example.com/", "https://x.invalid/?https://a.example.com/",
}

// allows reports whether the entry allows a canonical URL, which u is the parsed form of.
func (a Allowed) allows(u *url.URL, canonical string) bool {
	if u.Scheme != a.scheme || a.port != anyPort && portOf(u) != a.port {
		return false
	}
	host := u.Hostname()
	if a.wild {
		below, ok := strings.CutSuffix(host, "."+a.host)
		if !ok || below == "" {
			return false
		}
	} else if host != a.host {
		return false
	}
	return a.path == "/" || a.below(canonical)
}

// below reports whether the path of a canonical URL is the entry's path or below it. A path that a
// server could read as a path to one of its parents is not.
func (a Allowed) below(canonical string) bool {
	_, rest, _ := strings.Cut(canonical, "://")
	rest, _, _ = strings.Cut(rest, "?")
	path := rest[strings.IndexByte(rest, '/'):]
	below, ok := strings.CutPrefix(path, a.path)
	whole := below == "" || strings.HasSuffix(a.path, "/") || strings.HasPrefix(below, "/")
	return ok && whole && !paths.Leaves(path)
}

// String returns the entry as a URL. [ParseAllowed] reads it again.
func (a Allowed) String() string {
	host := a.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if a.wild {
		host = "*." + host
	}
	if a.port != defaultPort(a.scheme) {
		host += ":" + a.port
	}
	return a.scheme + "://" + host + a.path
}

// Wide reports whether the entry allows all hosts of a public suffix, such as *.com or *.github.io:
// anyone can get such a host.
func (a Allowed) Wide() bool {
	if !a.wild {
		return false
	}
	suffix, icann := publicsuffix.PublicSuffix(a.host)
	listed := icann || strings.Contains(suffix, ".")
	if suffix == a.host && listed {
		return true
	}
	// The list also has wildcards: every host below compute-1.amazonaws.com is a suffix.
	below, _ := publicsuffix.PublicSuffix("x." + a.host)
	return below == "x."+a.host
}

// parseAllowed parses all entries.
func parseAllowed(entries []string) ([]Allowed, error) {
	var all []Allowed
	for _, entry := range entries {
		parsed, err := ParseAllowed(entry)
		if err != nil {
			return nil, fmt.Errorf("origin: allowed source %w", err)
		}
		all = append(all, parsed...)
	}
	return all, nil
}

// isHostAndPath reports whether an entry lacks only its scheme.
func isHostAndPath(entry string) bool {
	_, err := parseAllowedURL("https://" + entry)
	return err == nil
}

// notInPrefix reports whether a rune of a path is outside RFC 3986, or is one of * ( ) [ ] $: a
// path with one of these is more often meant as an expression.
func notInPrefix(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}*()[]$", r)
}

// isAddress reports whether parsers can read a host as an IP address.
func isAddress(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	return strings.Contains(host, ":") || isDigits(last) || strings.HasPrefix(last, "0x")
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// portOf returns the port of a canonical URL, also if it is the default.
func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	return defaultPort(u.Scheme)
}

func defaultPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}
