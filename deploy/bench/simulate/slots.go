package main

import "time"

// slots are the copies that workers may run at the same time. Source hosts share them: a free slot
// goes to the waiting host that holds the fewest. A host alone can hold all, up to its connections.
type slots struct {
	*engine
	total, busy  int
	perHost      int   // The connections to one host
	held         []int // By host
	waiting      []queue[waiter]
	length, most int // Of all queues together
}

type waiter struct {
	since time.Duration
	next  func()
}

func newSlots(e *engine, total, perHost, hosts int) *slots {
	return &slots{
		engine: e, total: total, perHost: perHost, held: make([]int, hosts), waiting: make([]queue[waiter], hosts),
	}
}

// acquire returns the step that takes a slot for a host.
func (s *slots) acquire(host int) step {
	return func(next func()) {
		if s.busy < s.total && s.held[host] < s.perHost {
			s.busy++
			s.held[host]++
			next()
			return
		}
		s.waiting[host].push(waiter{s.now, next})
		s.length++
		s.most = max(s.most, s.length)
	}
}

// release returns the step that gives a host's slot back.
func (s *slots) release(host int) step {
	return func(next func()) {
		s.held[host]--
		s.busy--
		if heir := s.heir(); heir >= 0 {
			s.held[heir]++
			s.busy++
			s.length--
			s.waiting[heir].pop().next()
		}
		next()
	}
}

// heir returns the waiting host with the fewest slots, and -1 if none waits.
func (s *slots) heir() int {
	heir := -1
	for host := range s.waiting {
		if s.waiting[host].len() > 0 && s.held[host] < s.perHost && (heir < 0 || s.held[host] < s.held[heir]) {
			heir = host
		}
	}
	return heir
}

// age returns how long the oldest waiting copy has waited.
func (s *slots) age() (age time.Duration) {
	for i := range s.waiting {
		if q := &s.waiting[i]; q.len() > 0 {
			age = max(age, s.now-q.items[q.first].since)
		}
	}
	return age
}
