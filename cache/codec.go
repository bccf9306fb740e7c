package cache

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits of a value. Every client of redis can write any value.
const (
	// maxValue is the limit of a value, in bytes. It is above the value of every valid entry: JSON
	// takes at most 6 bytes for a byte of text.
	maxValue = 8 << 10
	maxOwner = 512
	// maxSize is the limit of a size, in bytes: 20 times the largest object of S3.
	maxSize = 1 << 50
	// maxExpires is the end of the year 9999, in Unix seconds.
	maxExpires = 253_402_300_799
	// maxSkew is how far the clocks of two processes may differ.
	maxSkew = time.Minute
	// identityBytes is the length of an identity before base64.
	identityBytes = 6
)

// body is the JSON part of a stored entry. There are many present ones, so their fields have short
// names.
type body struct {
	Identity     string `json:"i"`           // See identity.
	Deadline     int64  `json:"d"`           // Unix milliseconds
	Expires      int64  `json:"e,omitempty"` // Unix seconds; 0 for never
	Size         int64  `json:"s,omitempty"`
	SHA256       string `json:"sha256,omitempty"`
	Owner        string `json:"owner,omitempty"`
	Done         int64  `json:"done,omitempty"`
	Total        int64  `json:"total,omitempty"`
	Low          bool   `json:"low,omitempty"`
	Attempts     int32  `json:"attempts,omitempty"`
	NextRetry    int64  `json:"next,omitempty"` // Unix milliseconds; 0 for none
	Run          string `json:"run,omitempty"`
	Class        string `json:"class,omitempty"`
	Status       int    `json:"status,omitempty"`
	AboutObject  bool   `json:"aboutObject,omitempty"`
	Permanent    bool   `json:"permanent,omitempty"`
	Unmirrorable bool   `json:"unmirrorable,omitempty"`
	Text         string `json:"text,omitempty"`
}

var errUndecodable = errors.New("undecodable cache entry")

// identity names the key in its value. A value that was copied to another key is undecodable. It is
// no signature: it does not prove the value's author.
func identity(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base64.RawURLEncoding.EncodeToString(sum[:identityBytes])
}

func encode(key string, e Entry) (string, error) {
	data, err := json.Marshal(body{
		Identity:     identity(key),
		Deadline:     e.Deadline.UnixMilli(),
		Expires:      toSeconds(e.Expires),
		Size:         e.Size,
		SHA256:       e.SHA256,
		Owner:        e.Owner,
		Done:         e.Done,
		Total:        e.Total,
		Low:          e.Low,
		Attempts:     e.Attempts,
		NextRetry:    toMillis(e.NextRetry),
		Run:          e.Run,
		Class:        e.Class,
		Status:       e.Status,
		AboutObject:  e.AboutObject,
		Permanent:    e.Permanent,
		Unmirrorable: e.Unmirrorable,
		Text:         e.Text,
	})
	if err != nil {
		return "", fmt.Errorf("encode cache entry: %w", err)
	}
	return string(e.State) + " " + string(data), nil
}

// decode returns the entry that a value of the key holds. It refuses a value that no process of
// this deployment writes. An unknown class becomes [ClassInternal]: a later build may have more
// classes.
func decode(key, value string, now time.Time, rules Rules) (Entry, error) {
	state, data, _ := strings.Cut(value, " ")
	var b body
	if len(value) > maxValue || json.Unmarshal([]byte(data), &b) != nil || b.Identity != identity(key) {
		return Entry{}, errUndecodable
	}
	e := Entry{
		State:        stateOf(state),
		Deadline:     time.UnixMilli(b.Deadline),
		Expires:      fromSeconds(b.Expires),
		Size:         b.Size,
		SHA256:       b.SHA256,
		Owner:        b.Owner,
		Done:         b.Done,
		Total:        b.Total,
		Low:          b.Low,
		Attempts:     b.Attempts,
		NextRetry:    fromMillis(b.NextRetry),
		Run:          b.Run,
		Reason:       Reason{Class: b.Class, Status: b.Status, AboutObject: b.AboutObject, Text: b.Text},
		Permanent:    b.Permanent,
		Unmirrorable: b.Unmirrorable,
	}
	if !b.sane() || !e.sane() || e.Deadline.After(now.Add(rules.longest(e)+maxSkew)) {
		return Entry{}, errUndecodable
	}
	if e.State == Error && !slices.Contains(Classes(), e.Class) {
		e.Class = ClassInternal
	}
	return e, nil
}

// stateOf returns the state with that name. Its text is no part of the value, which an entry in
// memory would keep alive.
func stateOf(name string) State {
	for _, s := range []State{Present, Pending, Error} {
		if name == string(s) {
			return s
		}
	}
	return Absent
}

// sane reports whether each field is within its limits. The deadline may have passed.
func (b body) sane() bool {
	within := func(n, most int64) bool { return 0 <= n && n <= most }
	return b.Attempts >= 0 && within(b.NextRetry, 1000*maxExpires) && b.Deadline > 0 && within(b.Expires, maxExpires) && within(b.Size, maxSize) &&
		within(b.Done, maxSize) && within(b.Total+1, maxSize) && IsDigest(b.SHA256) && len(b.Owner) <= maxOwner && len(b.Run) <= maxOwner &&
		(b.Status == 0 || 100 <= b.Status && b.Status <= 599)
}

// sane reports whether the entry has only fields of its state.
func (e Entry) sane() bool {
	copied, pending, failed := e, e, e
	copied.State, copied.Deadline, copied.Expires, copied.Size, copied.SHA256 = Absent, time.Time{}, time.Time{}, 0, ""
	pending.State, pending.Deadline, pending.SHA256 = Absent, time.Time{}, ""
	pending.Owner, pending.Done, pending.Total, pending.Low = "", 0, 0, false
	pending.Attempts, pending.NextRetry, pending.Run = 0, time.Time{}, ""
	failed.State, failed.Deadline, failed.Size, failed.Reason = Absent, time.Time{}, 0, Reason{}
	failed.Permanent, failed.Unmirrorable = false, false
	failed.Attempts, failed.NextRetry, failed.Run = 0, time.Time{}, ""
	switch e.State {
	case Present:
		return copied == Entry{} && (e.Expires.IsZero() || !e.Deadline.After(e.Expires))
	case Pending:
		return pending == Entry{}
	case Error:
		return failed == Entry{} && (!e.AboutObject || e.Class == ClassBadHTTPStatus && e.Status >= 400 && e.Status <= 499)
	default:
		return false
	}
}

// IsDigest reports whether s is empty or a SHA-256 in lower-case hex, as an entry holds it.
func IsDigest(s string) bool {
	return s == "" || len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
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

func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
