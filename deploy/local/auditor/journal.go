package auditor

import (
	"strings"
	"sync"
	"time"
)

// A Journal records answers, messages, purges and faults. It is safe for concurrent use.
type Journal struct {
	mu       sync.Mutex
	answers  []Answer
	messages []Message
	purges   []Purge
	replaced []Replaced
	faults   []*Fault
	written  map[string]bool // Bodies of messages that a scenario writes
}

// Message records a message that a queue accepted. Those of a dead-letter queue are read there.
func (j *Journal) Message(queue, body string) {
	if strings.HasSuffix(queue, deadSuffix) {
		return
	}
	m := parseMessage(body)
	m.At = time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	m.Handwritten = j.written[body]
	j.messages = append(j.messages, m)
}

// Handwritten announces a message that the scenario sends itself. It may hold a secret. A message
// of a front end may not.
func (j *Journal) Handwritten(body string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.written == nil {
		j.written = map[string]bool{}
	}
	j.written[body] = true
}

// Answer records a client's answer.
func (j *Journal) Answer(a Answer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.answers = append(j.answers, a)
}

// Purge records a purge with any answer: a purge that failed may have begun.
func (j *Journal) Purge(p Purge) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.purges = append(j.purges, p)
}

// Replace records a purge that removed the bytes of an object for good.
func (j *Journal) Replace(r Replaced) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.replaced = append(j.replaced, r)
}

// Fault records a fault that begins now. The returned function ends it, and may be called again.
func (j *Journal) Fault(target, kind string) (end func()) {
	f := &Fault{Target: target, Kind: kind, From: time.Now()}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.faults = append(j.faults, f)
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		if f.To.IsZero() {
			f.To = time.Now()
		}
	}
}

// Faults returns the faults so far. One that has not ended ends now.
func (j *Journal) Faults() []Fault {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []Fault
	for _, f := range j.faults {
		c := *f
		if c.To.IsZero() {
			c.To = time.Now()
		}
		all = append(all, c)
	}
	return all
}

// read returns the records since a time. Faults are all there, since an early one may last.
func (j *Journal) read(since time.Time) (e Evidence) {
	e.Faults = j.Faults()
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, a := range j.answers {
		if !a.At.Before(since) {
			e.Answers = append(e.Answers, a)
		}
	}
	for _, m := range j.messages {
		if !m.At.Before(since) {
			e.Accepted = append(e.Accepted, m)
		}
	}
	for _, p := range j.purges {
		if !p.From.Before(since) {
			e.Purges = append(e.Purges, p)
		}
	}
	e.Replaced = append(e.Replaced, j.replaced...)
	return e
}
