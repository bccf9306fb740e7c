package frontend

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/cloud-mirror/cloud-mirror/frontend/token"
)

// code is an error code that a client's program can act on.
type code string

const (
	codeInput       code = "InputError"
	codeUnauthn     code = "AuthenticationFailed"
	codeScopes      code = "InsufficientScopes"
	codeInvalidURL  code = "InvalidUrl"
	codeNotFound    code = "ResourceNotFound"
	codeMethod      code = "MethodNotAllowed"
	codeTooMany     code = "TooManyRequests"
	codeUnavailable code = "ServiceUnavailable"
	codeBadStatus   code = "BadHTTPStatus"
	codeLoop        code = "LoopDetected"
)

// requestCodes lists the codes of invalid requests, for a metric that starts at zero.
func requestCodes() []code { return []code{codeInput, codeInvalidURL, codeNotFound, codeLoop} }

// statusOf maps codes to statuses. An error with [codeBadStatus] has the source's own status
// instead.
func statusOf(c code) int {
	switch c {
	case codeInput:
		return http.StatusBadRequest
	case codeUnauthn:
		return http.StatusUnauthorized
	case codeInvalidURL, codeScopes:
		return http.StatusForbidden
	case codeNotFound:
		return http.StatusNotFound
	case codeMethod:
		return http.StatusMethodNotAllowed
	case codeLoop:
		return http.StatusLoopDetected
	case codeTooMany:
		return http.StatusTooManyRequests
	default:
		return http.StatusServiceUnavailable
	}
}

// requestError is an error answer. Clients read its text.
type requestError struct {
	code   code
	status int
	text   string
	// retryAfter is the time until a client may try again. Zero is unknown.
	retryAfter time.Duration
}

func (e *requestError) Error() string { return string(e.code) + ": " + e.text }

func problem(c code, text string) *requestError {
	return &requestError{code: c, status: statusOf(c), text: text}
}

// BadURL is the error with which [Options].Admit reports that a URL is malformed, not forbidden.
func BadURL(text string) error { return problem(codeInput, text) }

// The bodies are the original's: {msg, err} for errors of the source, {code, message} for errors of
// the request.
type (
	sourceBody struct {
		Msg string `json:"msg"`
		Err code   `json:"err"`
	}
	requestBody struct {
		Code    code   `json:"code"`
		Message string `json:"message"`
	}
)

// asProblem hides the text of every error that is not a [*requestError] from the client.
func asProblem(err error) *requestError {
	if p, ok := errors.AsType[*requestError](err); ok {
		return p
	}
	return problem(codeUnavailable, "Something that is needed for this does not answer, try again")
}

// refuse counts and answers an invalid request.
func refuse(w http.ResponseWriter, m metrics, err error) {
	m.refused(err)
	writeError(w, err)
}

// writeError answers with an error.
func writeError(w http.ResponseWriter, err error) {
	p := asProblem(err)
	switch {
	case p.code == codeUnauthn:
		w.Header().Set("WWW-Authenticate", token.Challenge)
	case p.retryAfter > 0:
		// Whole seconds, rounded up: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
		w.Header()["Retry-After"] = decimal(int((p.retryAfter + time.Second - 1) / time.Second))
	case p.status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	if p.code == codeInvalidURL || p.code == codeBadStatus {
		writeJSON(w, p.status, sourceBody{Msg: p.text, Err: p.code})
		return
	}
	writeJSON(w, p.status, requestBody{Code: p.code, Message: p.text})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body := render(v)
	h := w.Header()
	commonHeaders(h)
	h["Content-Length"] = decimal(len(body))
	w.WriteHeader(status)
	_, _ = w.Write(body) // An error means that the client is gone.
}

// render encodes our own bodies, which never fail to encode.
func render(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return b.Bytes()
}

// Header values that all answers share, as header maps hold them.
var (
	contentType = []string{"application/json; charset=utf-8"}
	noStore     = []string{"no-store"}
	noSniff     = []string{"nosniff"}
)

// commonHeaders sets the headers of every answer with a JSON body. Clients may not store an answer:
// no redirect may outlive its copy or its signature.
func commonHeaders(h http.Header) { h["Content-Type"], h["Cache-Control"] = contentType, noStore }

// decimal returns a number as a header's value.
func decimal(n int) []string { return []string{strconv.Itoa(n)} }
