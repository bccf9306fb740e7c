package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// Class names a kind of failure. The names are part of the product's HTTP answers and of its workflow history.
type Class string

const (
	// ClassInvalidURL is a URL, or a hop of its redirects, that is malformed, not on the allow list, or resolves to an
	// address that may not be dialled. Always permanent.
	ClassInvalidURL Class = "InvalidUrl"
	// ClassBadHTTPStatus is a status other than the one asked for; Error.Status holds it. A 4xx is permanent, except for
	// 408, 425 and 429; everything else is transient.
	ClassBadHTTPStatus Class = "BadHTTPStatus"
	// ClassTooManyRedirects is a redirect loop, or a chain longer than Config.RedirectLimit. Always permanent.
	ClassTooManyRedirects Class = "TooManyRedirects"
	// ClassUnreachable is a source that can't be resolved, connected to, or that does not answer in HTTP in time. Always
	// transient, a name that does not exist included: DNS is eventually consistent.
	ClassUnreachable Class = "SourceUnreachable"
	// ClassTruncated is a body that ended early, broke off, or went on past its length. Always transient.
	ClassTruncated Class = "SourceTruncated"
	// ClassChanged is a GET that does not agree with the HEAD before it. Always transient: HEAD again, then GET.
	ClassChanged Class = "SourceChanged"
	// ClassUnverifiable is an answer that contradicts itself, in its range or its digests, or an object that can't be got in
	// ranges. Always permanent.
	ClassUnverifiable Class = "SourceUnverifiable"
	// ClassCorrupt is a body that does not match the digest that the source (or the request) gave. Always transient.
	ClassCorrupt Class = "SourceCorrupt"
)

const (
	maxErrorText  = 1024            // Temporal fails a workflow for good on a failure above 2 MB; nobody reads one above 1 KB
	maxRetryAfter = 5 * time.Minute // a source must not be able to park a copy for a day
)

// Error is every failure of this package other than the caller's own cancelled context.
type Error struct {
	Class Class
	// Status is the HTTP status of the source; 0 if the failure is not about one.
	Status int
	// Permanent means that the same request will fail the same way; a retry is a waste.
	Permanent bool
	// RetryAfter is how long the source asked to be left alone, 0 to 5 minutes; 0 if it did not say.
	RetryAfter time.Duration
	// Text is what Error returns: safe for clients, without the query of any URL.
	Text string

	cause error
}

// Error returns Text, at most 1 KB of it; for a bad status, exactly "Unexpected HTTP Status: 404".
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

// Unwrap returns the cause if its text is known to be free of URLs and bodies (a DNS or system call error, a refusal of
// the dial guard, a rejected certificate), else nil.
func (e *Error) Unwrap() error { return e.cause }

func invalidURL(format string, args ...any) *Error {
	return &Error{Class: ClassInvalidURL, Permanent: true, Text: fmt.Sprintf(format, args...)}
}

func changed(host, what string) *Error {
	return &Error{Class: ClassChanged, Text: fmt.Sprintf("source %s changed: %s", host, what)}
}

func unverifiable(host, why string) *Error {
	return &Error{Class: ClassUnverifiable, Permanent: true, Text: fmt.Sprintf("source %s can't be verified: %s", host, why)}
}

// statusError classifies the status of an answer that is not the one asked for. 408, 425 and 429 are the 4xx that ask
// for another try (RFC 9110, RFC 8470, RFC 6585).
func statusError(resp *http.Response) *Error {
	status := resp.StatusCode
	permanent := status >= 400 && status < 500
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		permanent = false
	}
	return &Error{
		Class:      ClassBadHTTPStatus,
		Status:     status,
		Permanent:  permanent,
		RetryAfter: retryAfter(resp.Header),
		Text:       fmt.Sprintf("Unexpected HTTP Status: %d", status),
	}
}

// retryAfter reads a Retry-After header in either of its forms (RFC 9110, section 10.2.3), clamped to 0…maxRetryAfter.
// A date is taken relative to the answer's own Date, so that a source with a wrong clock is still understood.
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

// sendError classifies the failure of a request to host that got no answer. Its text never comes from err: net/http
// quotes malformed answers in its errors, and a hostile source may echo the query in one.
func sendError(ctx context.Context, host string, err error, timeout time.Duration) error {
	if ctx.Err() != nil {
		return fmt.Errorf("ask source %s: %w", host, ctx.Err())
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
		text = fmt.Sprintf("no answer from host %s within %s", host, timeout)
	case errors.As(err, &errno):
		text = fmt.Sprintf("host %s can't be reached: %s", host, errno.Error())
	default:
		text = fmt.Sprintf("host %s does not answer in http", host)
	}
	return &Error{Class: ClassUnreachable, Text: text, cause: safeCause(err)}
}

// safeCause picks out of err's chain an error whose text is known: the rest may hold whatever the source sent.
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

// errCertificate stands for a certificate error, the text of which holds names that the source chose.
var errCertificate = errors.New("certificate not trusted")
