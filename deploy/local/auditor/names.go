package auditor

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

const (
	// copyWorkflow is the type of the workflow that makes a copy, and purgeWorkflow that of the
	// workflow that finishes a purge.
	copyWorkflow  = "CopyObject"
	purgeWorkflow = "PurgeCopy"
	// overtaken is in the failure of a run whose object was purged.
	overtaken = "purged after this generation"
)

func (m Message) String() string {
	if m.Hash == "" {
		return fmt.Sprintf("a message of %d bytes", len(m.Body))
	}
	return fmt.Sprintf("%s of %s/%.12s", m.Action, m.Pool, m.Hash)
}

// request describes the request without the query of the object's URL.
func (a Answer) request() string {
	return fmt.Sprintf("%s of %s/%.12s at %s, %s", a.Method, a.Pool, a.Hash, a.FrontEnd, a.At.Format("15:04:05.000"))
}

// name is the URL without its query.
func (s *Source) name() string {
	name, _, _ := strings.Cut(s.URL, "?")
	return name
}

// parseMessage reads a copy request of any version. A sealed one has the object's hash, and a plain
// one its URL.
func parseMessage(body string) Message {
	m := Message{Body: body}
	var e struct {
		Data struct{ ID, URL, Hash, Action string }
	}
	if json.Unmarshal([]byte(body), &e) != nil || e.Data.ID == "" {
		return m
	}
	m.Pool, m.Action, m.Hash = e.Data.ID, e.Data.Action, e.Data.Hash
	if m.Hash == "" && e.Data.URL != "" {
		m.Hash = HashOf(e.Data.URL)
	}
	return m
}

// entryKey matches the key of an entry: the braces hold the pool first, and the hash last.
var entryKey = regexp.MustCompile(`\{([a-z0-9]+_[a-z0-9-]+)/(?:[^{}]*/)?([A-Za-z0-9_-]+)\}$`)

// parseEntry reads an entry of redis. It is the only place that knows how the product writes one.
// It returns false for a key that is no entry.
func parseEntry(key, value string, ttl time.Duration) (Entry, bool) {
	m := entryKey.FindStringSubmatch(key)
	if m == nil {
		return Entry{}, false
	}
	e := Entry{Pool: m[1], Hash: strings.ToLower(m[2]), Key: key, TTL: ttl}
	if sum, err := base64.RawURLEncoding.DecodeString(m[2]); err == nil && len(sum) == 32 {
		e.Hash = hex.EncodeToString(sum)
	}
	head, body, _ := strings.Cut(value, "{")
	for word := range strings.FieldsSeq(head) {
		if word == "present" || word == "pending" || word == "error" {
			e.State = word
		}
	}
	var fields struct {
		Deadline int64  `json:"d"`
		Class    string `json:"class"`
	}
	if json.Unmarshal([]byte("{"+body), &fields) == nil {
		e.Deadline, e.Class = time.UnixMilli(fields.Deadline), fields.Class
	}
	return e, true
}

// hashOfKey returns the hash in the key of a copy, HOST/HASH/NAME. It is empty for another key.
func hashOfKey(key string) string {
	if parts := strings.Split(key, "/"); len(parts) == 3 && isHash(parts[1]) {
		return parts[1]
	}
	return ""
}

// idDigits is how many hex digits of the hash are in a workflow's id.
const idDigits = 16

// nameRuns completes the hashes of runs, and returns the hashes of all audited objects. An answer
// may be about an object of a source that is not audited, so it only completes hashes.
func (e *Evidence) nameRuns() map[string]bool {
	about, whole := map[string]bool{}, map[string]string{}
	complete := func(hash string) { whole[hash[:min(idDigits, len(hash))]] = hash }
	for _, a := range e.Answers {
		complete(a.Hash)
	}
	for hash := range e.Sources {
		about[hash] = true
		complete(hash)
	}
	for _, m := range e.Accepted {
		about[m.Hash] = true
		complete(m.Hash)
	}
	for i, r := range e.Runs {
		if hash, ok := whole[r.Hash]; ok {
			about[hash], e.Runs[i].Hash = true, hash
		}
	}
	return about
}

// objectOf returns the pool and the start of the hash in a workflow's id, such as
// audit/POOL/HOST/PATH/HASH or purge/GENERATION/POOL/HOST/PATH/HASH.
func objectOf(id string) (pool, hash string) {
	parts := strings.Split(id, "/")
	for _, p := range parts[:min(3, len(parts))] {
		if pool == "" && strings.Contains(p, "_") {
			pool = p
		}
	}
	last := parts[len(parts)-1]
	if sum, err := hex.DecodeString(last); err == nil && len(sum) == idDigits/2 {
		hash = last
	}
	return pool, hash
}

func isHash(text string) bool {
	sum, err := hex.DecodeString(text)
	return err == nil && len(sum) == 32
}
