package origin

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// userAgent tells the owner of a source where a request comes from.
const userAgent = "cloud-mirror/1"

// Hop is one request of a redirect chain: the requested host, with its port unless that is the
// default, and the status of its response.
type Hop struct {
	Host   string `json:"host,omitempty"`
	Status int    `json:"status,omitempty"`
}

// follow requests a canonical URL and follows its redirects by hand. Each hop is a fresh request,
// and the policy judges it before it is sent. net/http's own client would carry the Referer, with
// any signature in it, from host to host.
//
// It returns the first response that is not a redirect, of any status, and all hops including the
// last. The caller closes the body.
func (c *Client) follow(
	ctx context.Context, method, canonical string, header http.Header,
) (*http.Response, []Hop, error) {
	if err := c.Check(canonical); err != nil {
		return nil, nil, err
	}
	var hops []Hop
	seen := map[string]bool{}
	for at := canonical; ; {
		seen[at] = true
		resp, err := c.send(ctx, method, at, header)
		if err != nil {
			return nil, nil, err
		}
		host := resp.Request.URL.Host
		hops = append(hops, Hop{Host: host, Status: resp.StatusCode})
		location := resp.Header.Get("Location")
		if !isRedirect(resp.StatusCode) || location == "" {
			return resp, hops, nil
		}
		closeUnread(resp)

		if at, err = c.nextHop(at, location); err != nil {
			return nil, nil, err
		}
		switch {
		case seen[at]:
			return nil, nil, tooManyRedirects("redirect loop at host %s", host)
		case len(hops) > c.redirectLimit:
			return nil, nil, tooManyRedirects("more than %d redirects, the last by host %s", c.redirectLimit, host)
		}
	}
}

// send makes one request and follows no redirect. It classifies errors. The caller closes the body.
func (c *Client) send(ctx context.Context, method, canonical string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, canonical, nil)
	if err != nil { // not wrapped: its text would hold the query
		return nil, invalidURL("url is not valid")
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Accept", "*/*")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", userAgent)
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, sendError(ctx, req.URL.Host, err, c.timeout)
	}
	return resp, nil
}

// isRedirect excludes 300 and 304, which name no next hop, and 305 and 306, which clients must no
// longer follow (RFC 9110, section 15.4). For GET and HEAD, the only methods here, the other five
// mean the same.
func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// nextHop resolves a Location against the hop that sent it, and checks it against the policy. The
// texts of its errors name only the host: a Location often holds a signature.
func (c *Client) nextHop(at, location string) (string, error) {
	next, err := resolve(at, location)
	if err != nil {
		return "", invalidURL("redirect to an invalid url")
	}
	if err := c.Check(next); err != nil {
		return "", invalidURL("redirect is not allowed: %s", err)
	}
	return next, nil
}

// resolve returns the canonical URL of a reference (RFC 3986, section 5.2), without re-encoding any
// byte of it. Its errors must not be shown: they may hold a signature.
func resolve(base, reference string) (string, error) {
	reference, _, _ = strings.Cut(reference, "#")
	// Encode first: otherwise net/url would decode and re-encode the whole path.
	ref, err := url.Parse(encodeIllegal(reference))
	if err != nil {
		return "", err
	}
	if ref.IsAbs() { // canonicalised as sent, like a URL from a client
		return Canonical(reference)
	}
	at, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	return Canonical(at.ResolveReference(ref).String())
}

func tooManyRedirects(format string, args ...any) *Error {
	return &Error{Class: ClassTooManyRedirects, Permanent: true, Text: fmt.Sprintf(format, args...)}
}

// closeUnread closes the body of a response without reading it. The connection may be lost with it:
// reading on would let a source keep the caller busy.
func closeUnread(resp *http.Response) { _ = resp.Body.Close() }
