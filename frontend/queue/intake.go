package queue

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// maxIntake is the size of waiting messages above which a receiver receives no more, in bytes. Each
// running receive may exceed it by one batch.
const maxIntake = 16 << 20

// message is a received message, until it is deleted, left to SQS or given back.
type message struct {
	types.Message
	request Request
	invalid error // Of the body
	host    string
	until   time.Time // When SQS shows it to other receivers; guarded by intake.mu
}

func newMessage(m types.Message, until time.Time) *message {
	r, err := Decode(aws.ToString(m.Body))
	return &message{Message: m, request: r, invalid: err, host: r.host(), until: until}
}

func (m *message) size() int { return len(aws.ToString(m.Body)) + len(aws.ToString(m.ReceiptHandle)) }

// host returns the host of the request's source in lower case, or an empty string.
func (r Request) host() string {
	u, err := url.Parse(r.URL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// low reports whether no client waits for the request.
func (r Request) low() bool {
	return r.Priority == Low || r.Action == Audit || r.Action == Refresh
}

// intake holds received messages until they are handled. Source hosts take turns, and requests that
// no client waits for come last. It is safe for concurrent use.
type intake struct {
	limit  int       // Of waiting messages
	report func(int) // Receives the length of held

	mu            sync.Mutex
	added, freed  sync.Cond
	closed        bool
	clients, low  turns
	waiting, size int               // Of the messages in clients and low
	reserved      int               // Messages that running receives may return
	held          map[*message]bool // Also those that are being handled
}

// newIntake returns an intake of at least one batch.
func newIntake(limit int, report func(int)) *intake {
	in := &intake{limit: max(limit, batchSize), report: report, held: map[*message]bool{}}
	in.added.L, in.freed.L = &in.mu, &in.mu
	return in
}

// reserve waits for room for a batch. It returns false if the intake is closed. The caller then
// calls add once.
func (in *intake) reserve() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	for !in.closed && in.full() {
		in.freed.Wait()
	}
	if in.closed {
		return false
	}
	in.reserved += batchSize
	return true
}

// full reports whether a batch may exceed the limits. in.mu is held.
func (in *intake) full() bool {
	return in.waiting+in.reserved+batchSize > in.limit || in.size >= maxIntake
}

// add adds the messages of a receive, which may be none.
func (in *intake) add(batch []*message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.reserved -= batchSize
	for _, m := range batch {
		if m.request.low() {
			in.low.add(m)
		} else {
			in.clients.add(m)
		}
		in.waiting++
		in.size += m.size()
		in.held[m] = true
		in.added.Signal()
	}
	in.report(len(in.held))
	in.freed.Broadcast()
}

// next waits for a message and takes it in its turn. It returns nil if the intake is closed. The
// caller calls drop once it is done with the message.
func (in *intake) next() *message {
	in.mu.Lock()
	defer in.mu.Unlock()
	for !in.closed && in.waiting == 0 {
		in.added.Wait()
	}
	if in.closed {
		return nil
	}
	m := in.clients.take()
	if m == nil {
		m = in.low.take()
	}
	in.waiting--
	in.size -= m.size()
	in.freed.Broadcast()
	return m
}

// drop releases a message.
func (in *intake) drop(m *message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.held, m)
	in.report(len(in.held))
}

// close ends all waits.
func (in *intake) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
	in.added.Broadcast()
	in.freed.Broadcast()
}

// shownBefore returns the held messages that SQS shows before t.
func (in *intake) shownBefore(t time.Time) []*message {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Keys(in.held)), func(m *message) bool { return !m.until.Before(t) })
}

// hide records that SQS hides the message until t.
func (in *intake) hide(m *message, t time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	m.until = t
}

// late reports whether SQS shows the message to other receivers.
func (in *intake) late(m *message, now time.Time) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return now.After(m.until)
}

func (in *intake) holds(m *message) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.held[m]
}

// turns orders messages by turns of their hosts, and those of one host by their arrival.
type turns struct {
	hosts []string // Of the next turns; a host without a message is not listed
	of    map[string][]*message
}

func (t *turns) add(m *message) {
	if t.of == nil {
		t.of = map[string][]*message{}
	}
	if len(t.of[m.host]) == 0 {
		t.hosts = append(t.hosts, m.host)
	}
	t.of[m.host] = append(t.of[m.host], m)
}

// take returns the next message, or nil.
func (t *turns) take() *message {
	if len(t.hosts) == 0 {
		return nil
	}
	host := t.hosts[0]
	t.hosts = t.hosts[1:]
	m, rest := t.of[host][0], t.of[host][1:]
	if len(rest) == 0 {
		delete(t.of, host)
		return m
	}
	t.of[host] = rest
	t.hosts = append(t.hosts, host)
	return m
}
