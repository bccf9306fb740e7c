package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Class names a kind of failure. The names are part of the product's HTTP responses and of its
// workflow history.
type Class string

const (
	// ClassInvalidURL is a URL, or a hop of its redirects, that is malformed, is not on the allow
	// list, or resolves to an address that may not be dialled. Always permanent.
	ClassInvalidURL Class = "InvalidUrl"
	// ClassBadHTTPStatus is an unexpected status of a plain GET; Error.Status holds it. A 4xx is
	// permanent, except for 408, 425 and 429, and so is 508. Everything else is transient.
	ClassBadHTTPStatus Class = "BadHTTPStatus"
	// ClassMalformed is a response that is not HTTP as clients accept it: a head above 64 KiB, two
	// lengths, a Location that is no URL. Only the last is permanent: any other response may have
	// been cut on its way.
	ClassMalformed Class = "SourceMalformed"
	// ClassRangeRefused is any response to a range request other than the range, or none at all. It
	// says nothing about the object. Error.Crowded reports whether a later try may succeed.
	ClassRangeRefused Class = "RangeRefused"
	// ClassBusy is a host to which all connections for first requests are in use. Always transient.
	ClassBusy Class = "SourceBusy"
	// ClassTooLarge is an object above the caller's or the bucket's limit. Always permanent.
	ClassTooLarge Class = "SourceTooLarge"
	// ClassTooManyRedirects is a redirect loop, or a chain longer than Config.RedirectLimit. Always
	// permanent.
	ClassTooManyRedirects Class = "TooManyRedirects"
	// ClassUnreachable is a source whose name can't be resolved, that can't be connected to, that
	// does not respond in HTTP in time, or whose connection is reset. Always transient, even for a
	// name that does not exist: DNS is eventually consistent.
	ClassUnreachable Class = "SourceUnreachable"
	// ClassTruncated is a body that ended early or continued past its length. Always transient.
	ClassTruncated Class = "SourceTruncated"
	// ClassUnverifiable is a response that contradicts itself in its digests, or an object that
	// can't be fetched in ranges. Always permanent.
	ClassUnverifiable Class = "SourceUnverifiable"
	// ClassCorrupt is a body that does not match a digest from the source or from the copy request.
	// Always transient.
	ClassCorrupt Class = "SourceCorrupt"
)

const (
	// maxErrorText is in bytes. Temporal fails a workflow for good on a failure above 2 MB, and
	// people don't read a text above 1 KB.
	maxErrorText  = 1024
	maxRetryAfter = 5 * time.Minute // a source must not be able to delay a copy for a day
)

// Error is every failure of this package, except the caller's own cancelled context.
type Error struct {
	Class Class
	// Status is the HTTP status of the source; 0 if the failure has none.
	Status int
	// Method and Host are those of the request that failed: the last of a chain of redirects. The host
	// has its port unless that is the default. Both are empty if no request was sent, or if its response
	// was a 200 or a redirect.
	Method, Host string
	// AboutObject is set if Status says something about the object: 404, 410, and other 4xx of the
	// hosts in Config.Authoritative4xx. Any other 4xx may be about us: our address, our User-Agent,
	// or a cookie that only the client has.
	AboutObject bool
	// Crowded is set if a range was refused while other requests to its host were in flight. The
	// host's limit is then lower, so that a later try may succeed.
	Crowded bool
	// Permanent means that the same request fails the same way: a retry is a waste.
	Permanent bool
	// RetryAfter is the delay that the source requested, 0 to 5 minutes; 0 if it requested none.
	RetryAfter time.Duration
	// Text is the text of Error, without the query of any URL: it is safe for clients.
	Text string

	cause error
}

// Error returns Text, at most 1 KiB of it. For a bad status it is exactly "Unexpected HTTP Status:
// 404".
func (e *Error) Error() string {
	text := e.Text
	if text == "" {
		text = string(e.Class)
	}
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "")
	}
	return text
}

// Unwrap returns the cause if its text is known to be free of URLs and bodies, otherwise nil. Such
// a cause is a DNS or system call error, a refusal of the dial guard, or a rejected certificate.
func (e *Error) Unwrap() error { return e.cause }

// Retry reports whether a refused range may be served later: the source is overloaded, limits
// requests, or did not respond.
func (e *Error) Retry() bool {
	switch e.Status {
	case 0, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return e.Status >= 500 && e.Status != http.StatusNotImplemented
}

// Lonely reports whether a range was refused by a status that says nothing about the load of the
// source. The range may be served if it is the only one.
func (e *Error) Lonely() bool {
	ranged := e.Status == http.StatusOK || e.Status == http.StatusPartialContent
	return e.Class == ClassRangeRefused && !e.Retry() && !ranged
}

func invalidURL(format string, args ...any) *Error {
	return &Error{Class: ClassInvalidURL, Permanent: true, Text: fmt.Sprintf(format, args...)}
}

func malformed(format string, args ...any) *Error {
	return &Error{Class: ClassMalformed, Permanent: true, Text: fmt.Sprintf(format, args...)}
}

// rangeRefused is the error of a response to a range request that is not the range.
func rangeRefused(resp *http.Response, why string) *Error {
	return &Error{
		Class: ClassRangeRefused, Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header),
		Method: resp.Request.Method, Host: resp.Request.URL.Host,
		Text: fmt.Sprintf("host %s refused a range: %s", resp.Request.URL.Host, why),
	}
}

func unverifiable(host, why string) *Error {
	text := fmt.Sprintf("source %s can't be verified: %s", host, why)
	return &Error{Class: ClassUnverifiable, Permanent: true, Text: text}
}

// statusError classifies an unexpected status of a plain GET. 408 (RFC 9110), 425 (RFC 8470) and
// 429 (RFC 6585) are the 4xx that invite a retry. 508 (RFC 5842) is the 5xx that invites none.
func (c *Client) statusError(resp *http.Response) *Error {
	status := resp.StatusCode
	permanent := status >= 400 && status < 500 || status == http.StatusLoopDetected
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		permanent = false
	}
	return &Error{
		Class:       ClassBadHTTPStatus,
		Status:      status,
		Method:      resp.Request.Method,
		Host:        resp.Request.URL.Host,
		AboutObject: permanent && status < 500 && c.aboutObject(resp.Request.URL.Host, status),
		Permanent:   permanent,
		RetryAfter:  retryAfter(resp.Header),
		Text:        fmt.Sprintf("Unexpected HTTP Status: %d", status),
	}
}

func (c *Client) aboutObject(host string, status int) bool {
	return status == http.StatusNotFound || status == http.StatusGone || slices.Contains(c.authoritative, host)
}

// retryAfter parses a Retry-After header in either of its forms (RFC 9110, section 10.2.3), clamped
// to 0…maxRetryAfter. It takes a date relative to the response's own Date, so that a wrong clock at
// the source does no harm.
func retryAfter(h http.Header) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if isDigits(value) {
		seconds, err := strconv.ParseUint(value, 10, 32)
		if err != nil || seconds > uint64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(until.Sub(now), 0), maxRetryAfter)
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// sendError classifies the failure of a request that got no response or, if answered is set, a
// response that can't be read. Its text never comes from err: net/http quotes malformed responses
// in its errors, and a hostile source may echo the query in one.
func sendError(ctx context.Context, host string, err error, answered bool, timeout time.Duration) error {
	if ctx.Err() != nil {
		return fmt.Errorf("request to source %s: %w", host, ctx.Err())
	}
	if errors.Is(err, errSelf) {
		refusal := invalidURL("host %s resolves to this mirror itself", host)
		refusal.cause = errSelf
		return refusal
	}
	if errors.Is(err, errService) {
		refusal := invalidURL("host %s resolves to a server of this mirror", host)
		refusal.cause = errService
		return refusal
	}
	if errors.Is(err, ssrf.ErrProhibitedIP) || errors.Is(err, ssrf.ErrProhibitedNetwork) {
		refusal := invalidURL("host %s resolves to an address that is not allowed", host)
		refusal.cause = safeCause(err)
		return refusal
	}
	var (
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
		timeErr net.Error
		errno   syscall.Errno
		text    string
	)
	switch {
	case errors.As(err, &dns):
		text = fmt.Sprintf("host %s can't be resolved", host)
	case errors.As(err, &cert):
		text = fmt.Sprintf("the certificate of host %s is not trusted", host)
	case errors.As(err, &timeErr) && timeErr.Timeout():
		text = fmt.Sprintf("no response from host %s within %s", host, timeout)
	case errors.As(err, &errno):
		text = fmt.Sprintf("host %s can't be reached: %s", host, errno.Error())
	case answered && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		failure := malformed("the response of host %s is not valid http", host)
		failure.Permanent = false
		return failure
	default:
		text = fmt.Sprintf("host %s does not respond in http", host)
	}
	return &Error{Class: ClassUnreachable, Text: text, cause: safeCause(err)}
}

// safeCause returns the error in err's chain that has a known text, or nil. Any other text may hold
// bytes that the source sent.
func safeCause(err error) error {
	var (
		dns   *net.DNSError
		errno syscall.Errno
		cert  *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, ssrf.ErrProhibitedIP):
		return ssrf.ErrProhibitedIP
	case errors.Is(err, ssrf.ErrProhibitedNetwork):
		return ssrf.ErrProhibitedNetwork
	case errors.As(err, &dns):
		return dns
	case errors.As(err, &errno):
		return errno
	case errors.As(err, &cert):
		return errCertificate
	}
	return nil
}

// errCertificate stands for a certificate error, whose own text holds names that the source chose.
var errCertificate = errors.New("certificate not trusted")
