package origin

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

const (
	defaultRedirectLimit   = 30
	defaultMaxConnsPerHost = 64
	defaultTimeout         = 10 * time.Second
	defaultUserAgent       = "cloud-mirror/1"

	maxIdleConns    = 256
	idleConnTimeout = 90 * time.Second
	// maxHeaderBytes bounds the head of a response; net/http's default is 10 MB.
	maxHeaderBytes = 64 << 10
	// readBufferSize is 16 times net/http's default. It saves system calls on a body that comes in
	// chunks or is read in small pieces.
	readBufferSize = 64 << 10
)

// Config is the policy and the limits of a Client. A zero limit means its default.
type Config struct {
	// AllowedPatterns are regular expressions (RE2), anchored at their start. A canonical URL,
	// query included, must match one of them or be below one of AllowedRoots, and so must every hop
	// of its redirects. There is no default: at least one pattern or root is required.
	AllowedPatterns []string
	// AllowedRoots are canonical URLs that end in a slash. A canonical URL that begins with one of
	// them is allowed. Below a root with a path, a URL is not if its path has dot segments, or
	// encoded dots, slashes or backslashes.
	AllowedRoots []string
	// EnsureSSL allows only https, at every hop.
	EnsureSSL bool
	// RedirectLimit is the most redirects that a request follows; 30 by default.
	RedirectLimit int
	// AllowedNetworks are special-purpose networks (loopback, private, …) that may be dialled
	// nevertheless.
	AllowedNetworks []netip.Prefix
	// MaxConnsPerHost bounds the requests to one host that are in flight for ranges, for streams
	// of large objects, and for first requests; 64 each by default. Further requests
	// wait.
	MaxConnsPerHost int
	// UserAgent is the User-Agent of every request; "cloud-mirror/1" by default. It tells the owner
	// of a source where a request comes from.
	UserAgent string
	// Authoritative4xx lists hosts, with their port unless that is the default. Every 4xx of these
	// hosts is about the object. Of other hosts only 404 and 410 are.
	Authoritative4xx []string
	// OwnNames are hosts, with or without a port, that lead to this mirror. A URL of theirs, or a hop,
	// is refused. A host without a port stands for all its ports.
	OwnNames []string
	// OwnAddrs are addresses at which this mirror listens. They are refused as well, in a URL and at
	// dial time. An unspecified address stands for all addresses of this machine.
	OwnAddrs []netip.AddrPort
	// LoopID, a token of RFC 9110, is the CDN-Loop of every request (RFC 8586). It tells this mirror
	// its own requests. Empty sends none.
	LoopID string
	// Timeout bounds, at each hop, each of three steps: connecting (name resolution included), the
	// TLS handshake, and the wait for the head of the response. It is 10 s by default. Waiting for
	// one of MaxConnsPerHost does not count.
	Timeout time.Duration
}

// Client sends requests to sources. It is safe for concurrent use, and keeps connections: make one,
// use it everywhere.
type Client struct {
	patterns      []*regexp.Regexp
	roots         []root
	ensureSSL     bool
	redirectLimit int
	timeout       time.Duration
	userAgent     string
	authoritative []string
	self          *self
	loopID        string
	conns         *conns
	transport     http.RoundTripper
}

// New returns a Client with the given policy. It refuses a policy without a pattern or a root, a
// pattern that is empty or does not compile, a root that is not canonical (the error names it), an
// invalid network, and a negative limit.
func New(cfg Config) (*Client, error) {
	if cfg.RedirectLimit < 0 || cfg.MaxConnsPerHost < 0 || cfg.Timeout < 0 {
		return nil, errors.New("origin: a limit is negative")
	}
	if cfg.RedirectLimit == 0 {
		cfg.RedirectLimit = defaultRedirectLimit
	}
	if cfg.MaxConnsPerHost == 0 {
		cfg.MaxConnsPerHost = defaultMaxConnsPerHost
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if len(cfg.AllowedPatterns)+len(cfg.AllowedRoots) == 0 {
		return nil, errors.New("origin: no allowed pattern, and no allowed root")
	}
	patterns, err := compilePatterns(cfg.AllowedPatterns)
	if err != nil {
		return nil, err
	}
	roots, err := parseRoots(cfg.AllowedRoots)
	if err != nil {
		return nil, err
	}
	guard, err := newGuard(cfg.AllowedNetworks)
	if err != nil {
		return nil, err
	}
	own, err := newSelf(cfg.OwnNames, cfg.OwnAddrs)
	if err != nil {
		return nil, err
	}
	return &Client{
		self:          own,
		loopID:        cfg.LoopID,
		patterns:      patterns,
		roots:         roots,
		ensureSSL:     cfg.EnsureSSL,
		redirectLimit: cfg.RedirectLimit,
		timeout:       cfg.Timeout,
		userAgent:     cmp.Or(cfg.UserAgent, defaultUserAgent),
		authoritative: cfg.Authoritative4xx,
		conns:         newConns(cfg.MaxConnsPerHost),
		transport:     newTransport(cfg, own.guard(guard.Safe)),
	}, nil
}

// Check reports whether the policy allows a canonical URL, without any I/O. It can't tell whether
// the address may be dialled: only a request can. Its error is an *Error of ClassInvalidURL with a
// text that is safe for clients.
func (c *Client) Check(canonical string) error {
	if normalized, err := Canonical(canonical); err != nil {
		return err
	} else if normalized != canonical {
		return invalidURL("url is not in its canonical form")
	}
	u, err := url.Parse(canonical)
	if err != nil { // can't happen: Canonical is stricter. Don't wrap it: its text would hold the query.
		return invalidURL("url is not valid")
	}
	if c.ensureSSL && u.Scheme != "https" {
		return invalidURL("host %s: only https urls are allowed", u.Host)
	}
	if c.self.named(u) {
		return invalidURL("host %s: url leads to this mirror itself", u.Host)
	}
	for _, root := range c.roots {
		if root.allows(canonical) {
			return nil
		}
	}
	for _, pattern := range c.patterns {
		if pattern.MatchString(canonical) {
			return nil
		}
	}
	return invalidURL("host %s: url is not on the list of allowed sources", u.Host)
}

// Admit returns the canonical form of a client's URL if the policy allows it. Its errors are those
// of [Canonical] and [Client.Check].
func (c *Client) Admit(raw string) (string, error) {
	canonical, err := Canonical(raw)
	if err != nil {
		return "", err
	}
	return canonical, c.Check(canonical)
}

func compilePatterns(raw []string) ([]*regexp.Regexp, error) {
	patterns := make([]*regexp.Regexp, 0, len(raw))
	for _, p := range raw {
		if p == "" {
			return nil, errors.New(`origin: allowed pattern "" matches everything`)
		}
		// Compile it alone first: an unbalanced ")|(" would escape from the group that anchors it.
		if _, err := regexp.Compile(p); err != nil {
			return nil, fmt.Errorf("origin: allowed pattern %q: %w", p, err)
		}
		anchored, err := regexp.Compile(`\A(?:` + p + `)`)
		if err != nil {
			return nil, fmt.Errorf("origin: allowed pattern %q: %w", p, err)
		}
		patterns = append(patterns, anchored)
	}
	return patterns, nil
}

// newGuard returns the judge of addresses. It refuses the networks of the IANA special-purpose
// registries, except the given networks. It allows every port, since the patterns decide about
// ports.
func newGuard(allowed []netip.Prefix) (*ssrf.Guardian, error) {
	var v4, v6 []netip.Prefix
	for _, prefix := range allowed {
		if !prefix.IsValid() {
			return nil, errors.New("origin: an allowed network is invalid")
		}
		addr, bits := prefix.Addr(), prefix.Bits()
		if addr.Is4In6() && bits >= 96 {
			// The dialer passes an IPv4-mapped address to the guard as its IPv4 address.
			addr, bits = addr.Unmap(), bits-96
		}
		if prefix = netip.PrefixFrom(addr, bits); addr.Is4() {
			v4 = append(v4, prefix)
		} else {
			v6 = append(v6, prefix)
		}
	}
	return ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...)), nil
}

func newTransport(cfg Config, control func(network, address string, c syscall.RawConn) error) *http.Transport {
	dialer := &net.Dialer{Timeout: cfg.Timeout, KeepAlive: 30 * time.Second, Control: control}
	var protocols http.Protocols
	protocols.SetHTTP1(true) // no HTTP/2: see the package's decisions
	return &http.Transport{
		Proxy:                  nil, // with one, the guard would judge the proxy's address and nothing else
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    cfg.Timeout,
		ResponseHeaderTimeout:  cfg.Timeout,
		DisableCompression:     true, // net/http must never request gzip, decode it, and drop the length
		Protocols:              &protocols,
		MaxIdleConnsPerHost:    cfg.MaxConnsPerHost, // conns bounds the busy ones
		MaxIdleConns:           maxIdleConns,
		IdleConnTimeout:        idleConnTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		ReadBufferSize:         readBufferSize,
	}
}
