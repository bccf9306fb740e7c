package queue

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
)

// Versions of the message envelope. Version 1 is the original cloud-mirror's.
const (
	version       = 1
	sealedVersion = 2 // of a request with SealedQuery
)

// Action is the kind of a request.
type Action string

// The actions. A bridge of a build before 2026-11-26 moves the messages of Audit, Refresh and
// Delete to the dead-letter queue: upgrade bridges before front ends.
const (
	// Put starts a copy unless one is running.
	Put Action = "put"
	// Cancel cancels a running copy. Its name in the message is "purge".
	Cancel Action = "purge"
	// Audit compares the source with the copy. It needs no field besides Pool and URL.
	Audit Action = "audit"
	// Refresh has the bucket keep a copy that it would delete soon. It needs no field besides Pool
	// and URL.
	Refresh Action = "refresh"
	// Delete finishes a purge that failed halfway. Generation is the purge's first generation; 0
	// means that redis was down, and that nothing is done yet.
	Delete Action = "delete"
)

func (a Action) known() bool {
	return slices.Contains([]Action{Put, Cancel, Audit, Refresh, Delete}, a)
}

// Request is a request about the copy of one object.
type Request struct {
	Pool string `json:"id"` // pool id, e.g. s3_us-west-2
	URL  string `json:"url"`
	// SealedQuery is the query of the URL, with its question mark, sealed by package seal. URL then
	// has none, and Hash is the hash of the whole URL (storage.Object.Hash).
	SealedQuery string `json:"sealedQuery,omitempty"`
	Hash        string `json:"hash,omitempty"`

	Action Action `json:"action"`
	// Generation is a purge's generation (see package cache), about its time in Unix milliseconds;
	// 0 if the sender does not know it. A copy that started later is not cancelled.
	Generation int64 `json:"generation,omitempty"`
	// SHA256 is the digest that a put's copy must have, 64 lower-case hex digits; empty accepts
	// any.
	SHA256 string `json:"sha256,omitempty"`
	// MinSize is the smallest object that a put copies, in bytes; 0 copies every object.
	MinSize int64 `json:"minSize,omitempty"`
	// Priority is a put's priority; empty is the priority of copies that clients wait for.
	Priority Priority `json:"priority,omitempty"`
	// RequestID is the id of the client's request, of package requestid; empty if there is none. It
	// is only for logs.
	RequestID string `json:"requestID,omitempty"`
}

// Priority is the urgency of a copy.
type Priority string

// Low ranks a copy behind all copies that clients wait for.
const Low Priority = "low"

type envelope struct {
	Version int      `json:"version"`
	Data    *Request `json:"data"`
}

// Encode returns the message body of a request: the envelope, in JSON. It has version 2 if the
// request has a sealed query, and version 1 otherwise.
func Encode(r Request) (string, error) {
	e := envelope{Version: version, Data: &r}
	if r.SealedQuery != "" {
		e.Version = sealedVersion
	}
	data, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("encode copy request: %w", err)
	}
	return string(data), nil
}

// Decode parses a message body of either version. A person may write one of version 1, with the
// query in its URL. It ignores unknown extra fields. Any other deviation from the format of
// [Encode] is an error. Its text describes the fault and does not repeat the body.
func Decode(body string) (Request, error) {
	var e envelope
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		if typeErr, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return Request{}, fmt.Errorf("field %q has the wrong type", typeErr.Field)
		}
		return Request{}, errors.New("not JSON")
	}
	switch {
	case e.Version != version && e.Version != sealedVersion:
		return Request{}, fmt.Errorf("version is %d, want %d or %d", e.Version, version, sealedVersion)
	case e.Data == nil:
		return Request{}, errors.New("data is missing")
	case e.Data.Pool == "":
		return Request{}, errors.New("data.id is missing")
	case e.Data.URL == "":
		return Request{}, errors.New("data.url is missing")
	case e.Version == sealedVersion && e.Data.SealedQuery == "":
		return Request{}, errors.New("data.sealedQuery is missing")
	case e.Version == sealedVersion && !isSHA256(e.Data.Hash):
		return Request{}, errors.New("data.hash is not a SHA-256 in hex")
	case e.Version == sealedVersion && strings.Contains(e.Data.URL, "?"):
		return Request{}, errors.New("data.url has a query besides data.sealedQuery")
	case !e.Data.Action.known():
		return Request{}, fmt.Errorf("data.action is not %q, %q, %q, %q or %q", Put, Cancel, Audit, Refresh, Delete)
	case e.Data.SHA256 != "" && !isSHA256(e.Data.SHA256):
		return Request{}, errors.New("data.sha256 is not a SHA-256 in hex")
	case e.Data.MinSize < 0:
		return Request{}, errors.New("data.minSize is negative")
	case e.Data.Priority != "" && e.Data.Priority != Low:
		return Request{}, fmt.Errorf("data.priority is not %q", Low)
	case e.Data.RequestID != "" && !requestid.Valid(e.Data.RequestID):
		return Request{}, fmt.Errorf("data.requestID has more than %d characters, or one that is not printable ASCII", requestid.MaxLength)
	}
	if e.Version == version { // These would be unknown extra fields.
		e.Data.SealedQuery, e.Data.Hash = "", ""
	}
	return *e.Data, nil
}

func isSHA256(text string) bool {
	sum, err := hex.DecodeString(text)
	return err == nil && len(sum) == sha256.Size && hex.EncodeToString(sum) == text
}
