package queue

import (
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"go.opentelemetry.io/otel/trace"
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
	trace   trace.SpanContext // The zero value is none
	sent    time.Time         // Zero is unknown
	until   time.Time         // When SQS shows it to other receivers; guarded by intake.mu
}

func newMessage(m types.Message, until time.Time) *message {
	r, err := Decode(aws.ToString(m.Body))
	out := &message{Message: m, request: r, invalid: err, host: r.host(), trace: extract(m), until: until}
	out.MessageAttributes = nil // Their size is not bounded.
	if ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64); err == nil {
		out.sent = time.UnixMilli(ms)
	}
	return out
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

// Purges reports whether the request ends a copy, and makes none.
func (r Request) Purges() bool { return r.Action == Cancel || r.Action == Delete }

const (
	// ahead is how many messages wait for room in the window while few wait in SQS. They hide the
	// time of a receive.
	ahead = 3
	// manyWaiting is how many waiting messages hold up their clients for so long that another few
	// messages don't matter.
	manyWaiting = 50
	// minOld and maxOld limit the age of a message that shows that many wait in SQS. Behind a slow
	// source the pace is low, and other hosts must not wait for it. An ordinary burst on a slow
	// machine waits for less than maxOld.
	minOld, maxOld = 500 * time.Millisecond, 5 * time.Second
	// paceSamples is the weight of the past in intake.pace.
	paceSamples = 8
)

// intake holds received messages until they are handled. Source hosts take turns. Purges come
// first, and requests that no client waits for come last. It is safe for concurrent use.
type intake struct {
	limit  int        // Of waiting messages
	window func() int // See Receiver.Window
	report func(int)  // Receives the length of held

	mu            sync.Mutex
	added, freed  sync.Cond
	closed        bool
	purges        turns
	clients, low  turns
	waiting, size int               // Of the messages in purges, clients and low
	reserved      int               // Messages that running receives may return
	deep          bool              // Many messages wait in SQS; see isDeep
	taken         time.Time         // When next returned a message while another message waited, or zero
	pace          time.Duration     // The mean time between two such messages
	inFlight      int               // Messages from next to land, without purges
	hosts         map[string]int    // Of the messages in flight
	held          map[*message]bool // Also those that are being handled
}

// newIntake returns an intake of at least one batch.
func newIntake(limit int, window func() int, report func(int)) *intake {
	if window == nil {
		window = func() int { return math.MaxInt }
	}
	in := &intake{
		limit: max(limit, batchSize), window: window, report: report,
		hosts: map[string]int{}, held: map[*message]bool{},
	}
	in.added.L, in.freed.L = &in.mu, &in.mu
	return in
}

// reserve waits for room for messages, and returns for how many, one batch at most. It returns 0 if
// the intake is closed. The caller then calls add once.
func (in *intake) reserve() (n int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for n = in.room(); n == 0 && !in.closed; n = in.room() {
		in.freed.Wait()
	}
	if in.closed {
		return 0
	}
	in.reserved += n
	return n
}

// room returns how many messages the next receive may return. While few wait in SQS, more than the
// window takes would only wait here, while another process has a free window. in.mu is held.
func (in *intake) room() int {
	coming := in.waiting + in.reserved
	switch window := in.window(); {
	case coming+batchSize > in.limit || in.size >= maxIntake:
		return 0
	case in.deep || window >= in.limit:
		return batchSize
	case in.waiting == 0 && in.inFlight < window:
		// Another receive may hang.
		return max(min(window+ahead-in.inFlight-coming, batchSize), 1)
	default:
		return max(min(window+ahead-in.inFlight-coming, batchSize), 0)
	}
}

// isDeep reports whether many messages wait in SQS, or have waited there and now wait here, after a
// receive of the batch. It becomes true once a message has waited in SQS for longer than manyWaiting
// messages take here. It stays true while messages have waited for half of that, since the pace
// varies, and while more than manyWaiting wait here: other hosts' new messages must not wait in SQS.
// in.mu is held.
func (in *intake) isDeep(batch []*message, now time.Time) bool {
	long := min(max(manyWaiting*in.pace, minOld), maxOld)
	age := oldest(batch, now)
	return age > long || in.deep && (age > long/2 || in.waiting+len(batch) > manyWaiting)
}

// add adds the messages of a receive of at most n, which may be none.
func (in *intake) add(n int, batch []*message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.reserved -= n
	in.deep = in.isDeep(batch, time.Now())
	for _, m := range batch {
		switch {
		case m.request.Purges():
			in.purges.add(m)
		case m.request.low():
			in.low.add(m)
		default:
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

// next waits until a message may be in flight, and takes it in its turn. It returns nil if the
// intake is closed. The caller calls drop once it is done with the message, and land at the end of
// its flight.
func (in *intake) next() *message {
	in.mu.Lock()
	defer in.mu.Unlock()
	for !in.closed {
		if m := in.take(); m != nil {
			return m
		}
		in.added.Wait()
	}
	return nil
}

// take takes the next message if it may be in flight, otherwise it returns nil. in.mu is held.
func (in *intake) take() *message {
	m := in.turn()
	if m == nil {
		return nil
	}
	in.waiting--
	in.size -= m.size()
	if !m.request.Purges() {
		in.inFlight++
		in.hosts[m.host]++
	}
	in.measure(time.Now())
	in.freed.Broadcast()
	return m
}

// measure updates pace after a message was taken. in.mu is held.
func (in *intake) measure(now time.Time) {
	if !in.taken.IsZero() {
		in.pace += (now.Sub(in.taken) - in.pace) / paceSamples
	}
	in.taken = time.Time{}
	if in.waiting > 0 {
		in.taken = now
	}
}

// turn removes the message whose turn it is, or returns nil. A full intake overrules the window:
// otherwise messages in SQS would wait behind those in memory. Purges need no window: they make no
// copy. in.mu is held.
func (in *intake) turn() *message {
	if m := in.purges.take(nil); m != nil {
		return m
	}
	window := in.window()
	switch {
	case in.inFlight < window || in.waiting+batchSize > in.limit || in.size >= maxIntake:
		if m := in.clients.take(nil); m != nil {
			return m
		}
		return in.low.take(nil)
	case in.inFlight/2 < window:
		return in.clients.take(func(host string) bool { return in.hosts[host] == 0 })
	}
	return nil
}

// land ends the flight of a message.
func (in *intake) land(m *message) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if m.request.Purges() {
		return
	}
	in.inFlight--
	if in.hosts[m.host]--; in.hosts[m.host] == 0 {
		delete(in.hosts, m.host)
	}
	in.added.Signal()
	in.freed.Broadcast()
}

// backlog returns the number of a pool's waiting messages, and the age of the oldest of them that a
// client waits for.
func (in *intake) backlog(pool string, now time.Time) (messages int64, age time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, t := range []*turns{&in.purges, &in.clients, &in.low} {
		for _, all := range t.of {
			for _, m := range all {
				if m.request.Pool != pool {
					continue
				}
				messages++
				if t == &in.clients && !m.sent.IsZero() {
					age = max(age, now.Sub(m.sent))
				}
			}
		}
	}
	return messages, age
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
