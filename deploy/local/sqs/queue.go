package sqs

import (
	"container/heap"
	"crypto/rand"
	"maps"
	"slices"
	"time"
)

// message is one message. The state file keeps its exported fields.
type message struct {
	ID            string
	Body          string
	Attributes    map[string]attributeValue `json:",omitempty"`
	TraceHeader   string                    `json:",omitempty"`
	Group         string                    `json:",omitempty"`
	Sent          time.Time
	VisibleAt     time.Time // The earliest time to receive it
	FirstReceived time.Time `json:",omitzero"`
	Receives      int       `json:",omitempty"`
	Receipt       string    `json:",omitempty"` // The newest receipt handle, empty before the first receive
	Source        string    `json:",omitempty"` // ARN of the queue that dead-lettered it
	Sequence      uint64

	index int // In the heap
}

// queue is one standard queue. The caller of a method holds the server's mutex.
type queue struct {
	name     string
	settings settings
	redrive  *redrivePolicy // Decoded from settings
	tags     map[string]string
	created  time.Time
	modified time.Time

	order   byVisibility
	byID    map[string]*message
	changed chan struct{} // Closed, and replaced, when a message may have become receivable
}

func newQueue(name string, now time.Time) *queue {
	return &queue{
		name: name, settings: settings{}, tags: map[string]string{}, created: now, modified: now,
		byID: map[string]*message{}, changed: make(chan struct{}),
	}
}

// notify wakes every long poll on the queue.
func (q *queue) notify() {
	close(q.changed)
	q.changed = make(chan struct{})
}

func (q *queue) add(m *message) {
	heap.Push(&q.order, m)
	q.byID[m.ID] = m
	q.notify()
}

func (q *queue) remove(m *message) {
	heap.Remove(&q.order, m.index)
	delete(q.byID, m.ID)
}

func (q *queue) clear() {
	q.order = nil
	clear(q.byID)
}

// receive returns at most limit messages, and hides them for the given time. It drops messages past
// the retention period, and passes messages that have reached maxReceiveCount to deadLetter.
func (q *queue) receive(now time.Time, limit int, hide time.Duration, deadLetter func(*message)) []*message {
	var taken []*message
	for len(taken) < limit && len(q.order) > 0 && !q.order[0].VisibleAt.After(now) {
		m := q.order[0]
		q.remove(m)
		switch {
		case q.expired(m, now):
		case q.redrive != nil && m.Receives >= int(q.redrive.MaxReceiveCount):
			deadLetter(m)
		default:
			taken = append(taken, m)
		}
	}
	// Put them back only now: with a visibility timeout of zero, the loop would receive them again.
	for _, m := range taken {
		m.Receives++
		m.Receipt = m.ID + "." + rand.Text()
		m.VisibleAt = now.Add(hide)
		if m.FirstReceived.IsZero() {
			m.FirstReceived = now
		}
		heap.Push(&q.order, m)
		q.byID[m.ID] = m
	}
	return taken
}

func (q *queue) setVisibleAt(m *message, at time.Time) {
	m.VisibleAt = at
	heap.Fix(&q.order, m.index)
	q.notify()
}

func (q *queue) expired(m *message, now time.Time) bool {
	return !now.Before(m.Sent.Add(q.settings.seconds("MessageRetentionPeriod")))
}

// dropExpired removes expired messages, hidden or not, so that a queue without receivers does not
// grow for ever.
func (q *queue) dropExpired(now time.Time) {
	for _, m := range slices.Collect(maps.Values(q.byID)) {
		if q.expired(m, now) {
			q.remove(m)
		}
	}
}

// counts returns the three approximate counts in a queue's attributes.
func (q *queue) counts(now time.Time) (visible, inFlight, delayed int) {
	q.dropExpired(now)
	for _, m := range q.order {
		switch {
		case !m.VisibleAt.After(now):
			visible++
		case m.Receipt != "":
			inFlight++
		default:
			delayed++
		}
	}
	return visible, inFlight, delayed
}

var _ heap.Interface = (*byVisibility)(nil)

// byVisibility is a heap of messages, ordered by visibility time and then by send order.
type byVisibility []*message

func (h byVisibility) Len() int { return len(h) }

func (h byVisibility) Less(i, j int) bool {
	if !h[i].VisibleAt.Equal(h[j].VisibleAt) {
		return h[i].VisibleAt.Before(h[j].VisibleAt)
	}
	return h[i].Sequence < h[j].Sequence
}

func (h byVisibility) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *byVisibility) Push(x any) {
	m := x.(*message)
	m.index = len(*h)
	*h = append(*h, m)
}

func (h *byVisibility) Pop() any {
	old := *h
	m := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return m
}
