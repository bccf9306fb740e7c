package origin

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
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
	// Allowed lists the sources: entries that [ParseAllowed] accepts. One of them must allow a URL,
	// and each hop of its redirects. There is no default: at least one entry is required.
	//
	//   - An entry is a URL: scheme, host, port and the beginning of the path. The port is that of
	//     the scheme unless the entry names one.
	//   - A host that begins with "*." stands for all hosts below the rest, of any depth. The rest
	//     itself needs an entry of its own.
	//   - A path allows itself and what is below it: /a allows /a and /a/b, and not /ab. The path
	//     /a/ does not allow /a. Under a path other than /, a URL is not allowed if its path has
	//     dot segments, or encoded dots, slashes, backslashes or control characters.
	//   - The port * stands for all ports of a loopback host.
	Allowed []string
	// EnsureSSL allows only https, at every hop.
	EnsureSSL bool
	// RedirectLimit is the most redirects that a request follows; 30 by default.
	RedirectLimit int
	// AllowedNetworks are special-purpose networks (loopback, private, …) that may be dialled
	// nevertheless. An address of a cloud's metadata service needs an entry that names nothing
	// else.
	AllowedNetworks []netip.Prefix
	// DeniedNetworks are never dialled. They win over AllowedNetworks.
	DeniedNetworks []netip.Prefix
	// Services are the servers that this mirror uses, each as host:port. They are refused, in a URL
	// and at dial time. A name is resolved every 30 s. A loopback address stands for all addresses
	// of this machine.
	Services []string
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
	// OnRequest, if set, is called after each request, and so for each hop of a redirect. The operation is
	// one of [Operations]. The time ends when the head of the response is read, and excludes the wait
	// for one of MaxConnsPerHost. Without a response, the status is 0 and the error is set.
	OnRequest func(operation string, took time.Duration, status int, err error)
	// OnFetched, if set, is called with the number of bytes of each read of a body.
	OnFetched func(bytes int)
	// Trace, if set, is called as OnRequest is, with the context of the request, its host, and the time of
	// its start.
	Trace func(ctx context.Context, operation, host string, start time.Time, status int)
}

// The operations of Config.OnRequest.
const (
	OperationGet   = "GET"
	OperationHead  = "HEAD"
	OperationRange = "range"
)

// Operations returns all operations of Config.OnRequest.
func Operations() []string { return []string{OperationGet, OperationHead, OperationRange} }

// Client sends requests to sources. It is safe for concurrent use, and keeps connections: make one,
// use it everywhere.
type Client struct {
	allowed       []Allowed
	ensureSSL     bool
	redirectLimit int
	timeout       time.Duration
	userAgent     string
	authoritative []string
	self          *self
	services      *services
	loopID        string
	conns         *conns
	transport     http.RoundTripper
	onRequest     func(operation string, took time.Duration, status int, err error)
	onFetched     func(bytes int)
	trace         func(ctx context.Context, operation, host string, start time.Time, status int)
}

// New returns a Client with the given policy. It refuses a policy without an allowed source, an
// entry that [ParseAllowed] refuses, an invalid network or service, and a negative limit.
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
	if len(cfg.Allowed) == 0 {
		return nil, errors.New("origin: no allowed source")
	}
	allowed, err := parseAllowed(cfg.Allowed)
	if err != nil {
		return nil, err
	}
	guard, err := newGuard(cfg.AllowedNetworks, cfg.DeniedNetworks)
	if err != nil {
		return nil, err
	}
	own, err := newSelf(cfg.OwnNames, cfg.OwnAddrs)
	if err != nil {
		return nil, err
	}
	servers, err := newServices(cfg.Services)
	if err != nil {
		return nil, err
	}
	if cfg.OnRequest == nil {
		cfg.OnRequest = func(string, time.Duration, int, error) {}
	}
	if cfg.Trace == nil {
		cfg.Trace = func(context.Context, string, string, time.Time, int) {}
	}
	if cfg.OnFetched == nil {
		cfg.OnFetched = func(int) {}
	}
	return &Client{
		onRequest:     cfg.OnRequest,
		onFetched:     cfg.OnFetched,
		trace:         cfg.Trace,
		self:          own,
		services:      servers,
		loopID:        cfg.LoopID,
		allowed:       allowed,
		ensureSSL:     cfg.EnsureSSL,
		redirectLimit: cfg.RedirectLimit,
		timeout:       cfg.Timeout,
		userAgent:     cmp.Or(cfg.UserAgent, defaultUserAgent),
		authoritative: cfg.Authoritative4xx,
		conns:         newConns(cfg.MaxConnsPerHost),
		transport:     newTransport(cfg, own.guard(servers.guard(guard.safe))),
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
	if c.services.is(u) {
		return invalidURL("host %s: url leads to a server of this mirror", u.Host)
	}
	for _, a := range c.allowed {
		if a.allows(u, canonical) {
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
