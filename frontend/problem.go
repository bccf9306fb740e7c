package frontend

import (
	"encoding/json"
	"errors"
	"net/http"
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

// writeError answers with what went wrong. Whatever is not a [*requestError] is nothing that a client may read.
func writeError(w http.ResponseWriter, err error) {
	var p *requestError
	if !errors.As(err, &p) {
		p = problem(codeUnavailable, "Something that is needed for this does not answer, try again")
	}
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
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the client is gone, if this fails
}
