package main

import "time"

// messages are those in SQS and in the memory of bridges. Bridges take many into memory and start them
// in turns of their hosts.
type messages struct {
	of           []queue[*object] // By host
	turns        queue[int]       // Of hosts with a message
	length, most int
}

func newMessages(hosts int) *messages { return &messages{of: make([]queue[*object], hosts)} }

func (m *messages) push(o *object) {
	if m.of[o.host].len() == 0 {
		m.turns.push(o.host)
	}
	m.of[o.host].push(o)
	m.length++
	m.most = max(m.most, m.length)
}

// pop removes the first message of the host whose turn it is.
func (m *messages) pop() *object {
	host := m.turns.pop()
	o := m.of[host].pop()
	if m.of[host].len() > 0 {
		m.turns.push(host)
	}
	m.length--
	return o
}

// age returns the age of the oldest request.
func (m *messages) age(now time.Duration) (age time.Duration) {
	for i := range m.of {
		if q := &m.of[i]; q.len() > 0 {
			age = max(age, now-q.items[q.first].since)
		}
	}
	return age
}
