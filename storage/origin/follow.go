package origin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Hop is one request of a redirect chain: the requested host, with its port unless that is the
// default, and the status of its response.
type Hop struct {
	Host   string `json:"host,omitempty"`
	Status int    `json:"status,omitempty"`
}

// follow requests a canonical URL by GET or HEAD, and follows its redirects by hand. Each hop is a
// fresh request, and the policy judges it before it is sent. net/http's own client would carry the
// Referer, with any signature in it, from host to host.
//
// It returns the first response that is not a redirect, of any status, and all hops including the
// last. Each request takes a slot of the budget at its host, unless the hop before it had the same
// host: then it takes over that slot. The caller closes the body, which releases the slot.
func (c *Client) follow(
	ctx context.Context, method, canonical string, header http.Header, b budget,
) (*http.Response, []Hop, error) {
	if err := c.Check(canonical); err != nil {
		return nil, nil, err
	}
	var hops []Hop
	var last *slot // Of the hop before
	defer func() { last.release() }()
	seen := map[string]bool{}
	for at := canonical; ; {
		seen[at] = true
		resp, err := c.send(ctx, method, at, header, b, last)
		if err != nil {
			return nil, nil, err
		}
		last = nil // The response has it, or it was released
		host := resp.Request.URL.Host
		hops = append(hops, Hop{Host: host, Status: resp.StatusCode})
		location := resp.Header.Get("Location")
		if !isRedirect(resp.StatusCode) || location == "" {
			return resp, hops, nil
		}
		last = closeHop(resp)

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

// send makes one request and follows no redirect. It takes over the slot of the hop before, or
// releases it. send classifies errors. The caller closes the body.
func (c *Client) send(
	ctx context.Context, method, canonical string, header http.Header, b budget, last *slot,
) (*http.Response, error) {
	var answered atomic.Bool
	trace := &httptrace.ClientTrace{GotFirstResponseByte: func() { answered.Store(true) }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), method, canonical, nil)
	if err != nil { // not wrapped: its text would hold the query
		return nil, invalidURL("url is not valid")
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Accept", "*/*")
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", c.userAgent)
	if c.loopID != "" {
		req.Header.Set("CDN-Loop", c.loopID)
	}
	slot, err := c.slot(ctx, req.URL.Host, b, last)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		c.report(req, start, 0, err)
		defer slot.release()
		err = sendError(ctx, req.URL.Host, err, answered.Load(), c.timeout)
		if failure, ok := errors.AsType[*Error](err); ok {
			failure.Method, failure.Host = method, req.URL.Host
			if header != nil && failure.Class == ClassUnreachable {
				failure.Crowded = slot.refused()
			}
		}
		return nil, err
	}
	c.report(req, start, resp.StatusCode, nil)
	resp.Body = slotBody{ReadCloser: resp.Body, slot: slot, onFetched: c.onFetched}
	return resp, nil
}

// report reports a request. A request that its caller cancelled has no other error.
func (c *Client) report(req *http.Request, start time.Time, status int, err error) {
	operation := OperationGet
	switch {
	case req.Method == http.MethodHead:
		operation = OperationHead
	case req.Header.Get("Range") != "":
		operation = OperationRange
	}
	if err != nil && errors.Is(req.Context().Err(), context.Canceled) {
		err = req.Context().Err()
	}
	c.onRequest(operation, time.Since(start), status, err)
	c.trace(req.Context(), operation, req.URL.Host, start, status)
}

// slot waits for the right to send a request, unless the hop before had the same host.
func (c *Client) slot(ctx context.Context, host string, b budget, last *slot) (*slot, error) {
	if last != nil && last.key.host == host {
		return last, nil
	}
	last.release() // A request that waits holds no slot
	if s := c.conns.reserved(ctx, host, b); s != nil {
		return s, nil
	}
	waiting, cancel := ctx, context.CancelFunc(func() {})
	if b == firsts || b == checks {
		waiting, cancel = context.WithTimeout(ctx, firstPatience)
	}
	defer cancel()
	s, err := c.conns.acquire(waiting, host, b)
	switch {
	case err == nil:
		return s, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("request to source %s: %w", host, ctx.Err())
	default:
		return nil, &Error{Class: ClassBusy, Text: fmt.Sprintf("all connections to host %s are in use", host)}
	}
}

// slotOf returns the slot of a response from send.
func slotOf(resp *http.Response) *slot {
	body, _ := resp.Body.(slotBody)
	return body.slot
}

// closeHop closes the body of a redirect like closeUnread, but returns the slot.
func closeHop(resp *http.Response) *slot {
	body, _ := resp.Body.(slotBody)
	_ = body.ReadCloser.Close()
	return body.slot
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

// nextHop resolves a Location against the hop that sent it, and checks it against the policy. A
// Location that is no URL is a malformed response. The texts of its errors name only the host: a
// Location often holds a signature.
func (c *Client) nextHop(at, location string) (string, error) {
	next, err := resolve(at, location)
	if refusal, ok := errors.AsType[*Error](err); ok && !errors.Is(err, ErrBareEscape) {
		return "", invalidURL("redirect is not allowed: %s", refusal)
	}
	if err != nil {
		return "", malformed("redirect to a url that is not valid")
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
