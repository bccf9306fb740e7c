package main

import (
	"sync"
	"time"

	"github.com/cloud-mirror/cloud-mirror/worker/window"
)

// ahead is how many messages wait for room in the window of a bridge, as in package queue.
const ahead = 3

// bridge is the process of a bridge. Its window is the product's own.
type bridge struct {
	idle     int // Receives that do not run
	reserved int // Messages that running receives may return
	waiting  queue[*object]
	handling int // Messages that are not deleted yet
	inFlight int
	window   window.Window
}

// full reports whether more messages wait than the bridges hold in memory. Their windows then limit
// nothing, as in package queue.
func (s *system) full() bool { return s.messages.length+batch > len(s.bridges)*s.p.intake }

// handlers returns how many messages a bridge handles at the same time.
func (s *system) handlers() int { return batch * s.p.receivers }

// room returns how many messages the next receive of a bridge may return.
func (s *system) room(b *bridge) int {
	free := b.window.Limit() + ahead - b.inFlight
	if s.full() {
		free = s.handlers() - b.handling
	}
	return max(0, min(batch, free-b.waiting.len()-b.reserved))
}

// feed starts a receive by the next bridge that has room.
func (s *system) feed() {
	for range s.bridges {
		b := s.bridges[s.turn]
		s.turn = (s.turn + 1) % len(s.bridges)
		if s.receive(b) {
			return
		}
	}
}

// receive starts a receive if the bridge has room for messages that wait in SQS.
func (s *system) receive(b *bridge) bool {
	n := s.room(b)
	if n == 0 || b.idle == 0 || s.messages.length == 0 {
		return false
	}
	b.idle--
	b.reserved += n
	s.pause(s.p.times.receive)(func() {
		b.idle++
		b.reserved -= n
		for range min(n, s.messages.length) {
			b.waiting.push(s.messages.pop())
		}
		s.start(b)
	})
	return true
}

// start starts the workflows that the window of a bridge permits, and receives more.
func (s *system) start(b *bridge) {
	t := s.p.times
	for b.waiting.len() > 0 && b.handling < s.handlers() && (b.inFlight < b.window.Limit() || s.full()) {
		o := b.waiting.pop()
		b.handling++
		b.inFlight++
		b.window.Enter()
		o.land = sync.OnceFunc(func() {
			b.inFlight--
			b.window.Leave()
			s.start(b)
		})
		s.bridge.serve(t.bridge)(func() {
			begun := s.now
			s.rounds[o.shard](func() {
				b.window.Started(s.now-begun, time.Unix(0, 0).Add(s.now))
				s.execute(o)
				s.pause(t.remove)(func() {
					b.handling--
					if o.deleted = true; o.published {
						o.land()
						return
					}
					s.after(window.Flight, o.land)
					s.start(b)
				})
			})
		})
	}
	for s.receive(b) {
	}
}
