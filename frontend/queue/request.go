package queue

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// Version of the message envelope; it is the original cloud-mirror's.
const Version = 1

// Action is what a copy request asks for.
type Action string

// The actions. Put starts a copy if none is running, Cancel cancels a running one.
const (
	Put    Action = "put"
	Cancel Action = "purge"
)

// Request asks for something to be done about one object.
type Request struct {
	Pool   string `json:"id"` // pool id, e.g. s3_us-west-2
	URL    string `json:"url"`
	Action Action `json:"action"`
	// Generation is a purge's (see package cache), about its time in Unix milliseconds; 0 if the sender does not say. Copies
	// that began later are not meant.
	Generation int64 `json:"generation,omitempty"`
	// SHA256 is what a put's copy must have, 64 lower-case hex digits; empty if any will do.
	SHA256 string `json:"sha256,omitempty"`
	// Priority is a put's; clients wait for those that have none.
	Priority Priority `json:"priority,omitempty"`
}

// Priority is how urgent a copy is.
type Priority string

// Low is behind all that clients wait for.
const Low Priority = "low"

type envelope struct {
	Version int      `json:"version"`
	Data    *Request `json:"data"`
}

// Encode returns the message body of a request.
func Encode(r Request) (string, error) {
	data, err := json.Marshal(envelope{Version: Version, Data: &r})
	if err != nil {
		return "", fmt.Errorf("encode copy request: %w", err)
	}
	return string(data), nil
}

// Decode reads a message body. Unknown extra fields are tolerated; anything else that is not as [Encode] writes it is an
// error, whose text says what is wrong without repeating the body.
func Decode(body string) (Request, error) {
	var e envelope
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		if typeErr, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return Request{}, fmt.Errorf("field %q has the wrong type", typeErr.Field)
		}
		return Request{}, errors.New("not JSON")
	}
	switch {
	case e.Version != Version:
		return Request{}, fmt.Errorf("version is %d, want %d", e.Version, Version)
	case e.Data == nil:
		return Request{}, errors.New("data is missing")
	case e.Data.Pool == "":
		return Request{}, errors.New("data.id is missing")
	case e.Data.URL == "":
		return Request{}, errors.New("data.url is missing")
	case e.Data.Action != Put && e.Data.Action != Cancel:
		return Request{}, fmt.Errorf("data.action is %.20q, want %q or %q", e.Data.Action, Put, Cancel)
	case e.Data.SHA256 != "" && !isSHA256(e.Data.SHA256):
		return Request{}, errors.New("data.sha256 is not a SHA-256 in hex")
	case e.Data.Priority != "" && e.Data.Priority != Low:
		return Request{}, fmt.Errorf("data.priority is %.20q, want %q or none", e.Data.Priority, Low)
	}
	return *e.Data, nil
}

func isSHA256(text string) bool {
	sum, err := hex.DecodeString(text)
	return err == nil && len(sum) == sha256.Size && hex.EncodeToString(sum) == text
}
