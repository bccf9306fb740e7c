package main

import (
	"slices"
	"time"
)

// step is a part of a request's way. It calls next once it is done.
type step func(next func())

// inOrder runs steps one after the other, and then done.
func inOrder(steps []step, done func()) {
	if len(steps) == 0 {
		done()
		return
	}
	steps[0](func() { inOrder(steps[1:], done) })
}

// queue is first in, first out.
type queue[T any] struct {
	items []T
	first int
	most  int // The greatest length so far
}

func (q *queue[T]) len() int { return len(q.items) - q.first }

func (q *queue[T]) push(item T) {
	q.items = append(q.items, item)
	q.most = max(q.most, q.len())
}

func (q *queue[T]) pop() T {
	var none T
	item := q.items[q.first]
	q.items[q.first] = none
	if q.first++; q.first > 1024 && q.first > len(q.items)/2 {
		q.items, q.first = slices.Clone(q.items[q.first:]), 0
	}
	return item
}

// station is a number of servers behind one queue.
type station struct {
	*engine
	servers, busy int
	waiting       queue[func()]
	used          time.Duration // By all servers together
}

func newStation(e *engine, servers int) *station { return &station{engine: e, servers: servers} }

// acquire takes a server, and waits for one in the order of the calls.
func (s *station) acquire(next func()) {
	if s.busy == s.servers {
		s.waiting.push(next)
		return
	}
	s.busy++
	next()
}

func (s *station) release() {
	if s.waiting.len() > 0 {
		s.waiting.pop()()
		return
	}
	s.busy--
}

// serve returns the step that uses a server for a time.
func (s *station) serve(t span) step {
	return func(next func()) {
		s.acquire(func() {
			d := t.draw(s.random)
			s.used += d
			s.after(d, func() {
				s.release()
				next()
			})
		})
	}
}

// free is the step that gives a server back.
func (s *station) free(next func()) {
	s.release()
	next()
}

// pause returns the step that only takes time.
func (e *engine) pause(t span) step {
	return func(next func()) { e.after(t.draw(e.random), next) }
}
