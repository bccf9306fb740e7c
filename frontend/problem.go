package frontend

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// code is what a client's program can act on.
type code string

const (
	codeInput       code = "InputError"
	codeUnauthn     code = "AuthenticationFailed"
	codeInvalidURL  code = "InvalidUrl"
	codeNotFound    code = "ResourceNotFound"
	codeMethod      code = "MethodNotAllowed"
	codeUnavailable code = "ServiceUnavailable"
	codeBadStatus   code = "BadHTTPStatus"
)

// statusOf is the one table from codes to statuses. [codeBadStatus] has the source's own.
func statusOf(c code) int {
	switch c {
	case codeInput:
		return http.StatusBadRequest
	case codeUnauthn:
		return http.StatusUnauthorized
	case codeInvalidURL:
		return http.StatusForbidden
	case codeNotFound:
		return http.StatusNotFound
	case codeMethod:
		return http.StatusMethodNotAllowed
	default:
		return http.StatusServiceUnavailable
	}
}

// requestError is an answer that is not what the client wanted. Its text is for the client.
type requestError struct {
	code   code
	status int
	text   string
}

func (e *requestError) Error() string { return string(e.code) + ": " + e.text }

func problem(c code, text string) *requestError {
	return &requestError{code: c, status: statusOf(c), text: text}
}

// The bodies are the original's: {msg, err} for what is about the source, {code, message} for what is about the request.
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

// asProblem is what a client may know of an error. Whatever is not a [*requestError] is nothing that it may read.
func asProblem(err error) *requestError {
	if p, ok := errors.AsType[*requestError](err); ok {
		return p
	}
	return problem(codeUnavailable, "Something that is needed for this does not answer, try again")
}

// writeError answers with what went wrong.
func writeError(w http.ResponseWriter, err error) {
	p := asProblem(err)
	switch p.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="cloud-mirror"`)
	case http.StatusServiceUnavailable:
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
	_, _ = w.Write(body) // the client is gone, if this fails
}

// render is for bodies of ours, which all can be.
func render(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return b.Bytes()
}

// Header values that all answers share, as header maps have them.
var (
	contentType = []string{"application/json; charset=utf-8"}
	noStore     = []string{"no-store"}
	noSniff     = []string{"nosniff"}
)

// commonHeaders are those of every answer. None is stored: no redirect may outlive its copy or its signature.
func commonHeaders(h http.Header) {
	h["Content-Type"], h["Cache-Control"], h["X-Content-Type-Options"] = contentType, noStore, noSniff
}

// decimal is a number as a header's value.
func decimal(n int) []string { return []string{strconv.Itoa(n)} }
