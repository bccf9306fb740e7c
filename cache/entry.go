package cache

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// State is what is known of an object's copy.
type State string

// The states of an [Entry]. Absent is also what anything undecodable or past its deadline counts as.
const (
	Absent  State = ""
	Present State = "present"
	Pending State = "pending"
	Error   State = "error"
)

// Entry is what redis holds about one object. The zero Entry is Absent.
type Entry struct {
	State State

	// Deadline is when the entry stops being true: the end of a copy's time in the cache, of a lease, of a back-off.
	Deadline time.Time

	// Expires is when the bucket deletes a present copy, in whole seconds; zero if never.
	Expires time.Time

	// Owner holds the lease of a pending copy.
	Owner string
	// Done and Total are a pending copy's progress in bytes; Total is -1 while unknown.
	Done, Total int64

	// Class is the error class of a failed copy, e.g. BadHTTPStatus, which clients may see.
	Class string
	// Status is the source's HTTP status, if that is what failed the copy.
	Status int
	// Permanent errors are answered from here until the deadline; others are retried after it.
	Permanent bool
	// Text is for operators; clients never see it.
	Text string
}

// Final reports whether the entry already decides a request: the copy is present, or no retry
// will make it. Other entries may change while a client waits.
func (e Entry) Final() bool { return e.State == Present || e.State == Error && e.Permanent }

// body is the JSON part of a stored entry. There are many present ones: their two times are named briefly, so that redis
// has one of 44 bytes, the most that it keeps in one piece.
type body struct {
	Deadline  int64  `json:"d"`           // Unix milliseconds
	Expires   int64  `json:"e,omitempty"` // Unix seconds; 0 for never
	Owner     string `json:"owner,omitempty"`
	Done      int64  `json:"done,omitempty"`
	Total     int64  `json:"total,omitempty"`
	Class     string `json:"class,omitempty"`
	Status    int    `json:"status,omitempty"`
	Permanent bool   `json:"permanent,omitempty"`
	Text      string `json:"text,omitempty"`
}

var errUndecodable = errors.New("undecodable cache entry")

func encode(e Entry) (string, error) {
	data, err := json.Marshal(body{
		Deadline:  e.Deadline.UnixMilli(),
		Expires:   toSeconds(e.Expires),
		Owner:     e.Owner,
		Done:      e.Done,
		Total:     e.Total,
		Class:     e.Class,
		Status:    e.Status,
		Permanent: e.Permanent,
		Text:      e.Text,
	})
	if err != nil {
		return "", fmt.Errorf("encode cache entry: %w", err)
	}
	return string(e.State) + " " + string(data), nil
}

func decode(value string) (Entry, error) {
	state, data, _ := strings.Cut(value, " ")
	switch State(state) {
	case Present, Pending, Error:
	default:
		return Entry{}, errUndecodable
	}
	var b body
	if err := json.Unmarshal([]byte(data), &b); err != nil || b.Deadline == 0 {
		return Entry{}, errUndecodable
	}
	return Entry{
		State:     State(state),
		Deadline:  time.UnixMilli(b.Deadline),
		Expires:   fromSeconds(b.Expires),
		Owner:     b.Owner,
		Done:      b.Done,
		Total:     b.Total,
		Class:     b.Class,
		Status:    b.Status,
		Permanent: b.Permanent,
		Text:      b.Text,
	}, nil
}

func toSeconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromSeconds(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0)
}
