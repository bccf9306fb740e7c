package main

import (
	"slices"
	"time"
)

const (
	batch = 10 // Messages of one receive
	// rounds are those of a copy through Temporal: the start, a workflow task with HeadSource, the
	// start and the end of StreamCopy, and the start and the end of a workflow task with UpdateCache.
	// StreamCopy runs after beforeCopy of them, and UpdateCache wakes the client after beforeWake.
	rounds     = 6
	beforeCopy = 3
	beforeWake = 5
	// beforeWait is the part of the front end's work before a client waits.
	beforeWait = 0.7
	// horizon ends a run that can't end, such as one without workers.
	horizon = 24 * time.Hour
)

// system is a deployment with its clients.
type system struct {
	*engine
	p                                                                       parameters
	frontEnd, bridge, worker, storage, history, matching, gateway, database *station
	shards                                                                  []*station
	rounds                                                                  []step         // By shard
	deadlines                                                               queue[*object] // Of waiting clients
	slots                                                                   *slots
	limits                                                                  *limits
	messages                                                                *messages
	bridges                                                                 []*bridge
	turn                                                                    int // Of the bridges
	result
}

// object is a cold object with the client that requests it.
type object struct {
	host, shard int
	since       time.Duration
	answered    bool
	done        func()
	deleted     bool // Its message
	published   bool
	land        func() // Ends its flight in the bridge's window
}

func newSystem(p parameters, seed uint64, clients, hosts int) *system {
	e := newEngine(seed)
	s := &system{engine: e, p: p, slots: newSlots(e, p.slots, p.connections, hosts), messages: newMessages(hosts)}
	for range p.bridges {
		s.bridges = append(s.bridges, &bridge{idle: p.receivers})
	}
	s.limits = newLimits(e, p.limits, s.backlog, clients, hosts)
	shared := newStation(e, p.shared)
	for _, part := range []struct {
		station **station
		cores   int
	}{
		{&s.frontEnd, p.cores.frontEnd}, {&s.bridge, p.cores.bridge}, {&s.worker, p.cores.worker},
		{&s.storage, p.cores.storage}, {&s.history, p.cores.history}, {&s.matching, p.cores.matching}, {&s.gateway, p.cores.gateway},
		{&s.database, p.cores.database},
	} {
		*part.station = shared
		if p.shared == 0 {
			*part.station = newStation(e, part.cores)
		}
	}
	for range p.shards {
		shard := newStation(e, 1)
		s.shards, s.rounds = append(s.shards, shard), append(s.rounds, s.round(shard))
	}
	s.limits.watch()
	return s
}

// request requests a new object, and calls done when the client is redirected.
func (s *system) request(client, host int, done func()) {
	s.arrived++
	if limit := s.limits.refuses(client, host); limit != copied {
		s.ends[limit]++
		s.after(0, done)
		return
	}
	o := &object{host: host, shard: s.random.IntN(len(s.shards)), since: s.now, done: done}
	s.limits.waiters++
	if s.deadlines.push(o); s.deadlines.len() == 1 {
		s.after(s.p.maxWait, s.expire)
	}
	t := s.p.times
	inOrder([]step{s.frontEnd.serve(t.rest), s.frontEnd.serve(t.frontEnd.times(beforeWait)), s.pause(t.lookup), s.pause(t.send)}, func() {
		s.messages.push(o)
		s.feed()
	})
}

// expire ends the longest wait. All waits have the same limit and end in the order of their starts,
// so that one event at a time is enough.
func (s *system) expire() {
	s.answer(s.deadlines.pop(), waitOver)
	for s.deadlines.len() > 0 {
		if o := s.deadlines.items[s.deadlines.first]; !o.answered {
			s.after(o.since+s.p.maxWait-s.now, s.expire)
			return
		}
		s.deadlines.pop()
	}
}

// answer ends the wait of an object's client, unless it has ended.
func (s *system) answer(o *object, end outcome) {
	if o.answered {
		return
	}
	o.answered = true
	s.limits.waiters--
	s.ends[end]++
	s.waits = append(s.waits, s.now-o.since)
	o.done()
}

// round returns the step of a round through Temporal, which holds the shard while it writes.
func (s *system) round(shard *station) step {
	t := s.p.times
	steps := []step{
		s.gateway.serve(t.gateway), s.history.serve(t.history),
		shard.acquire, s.database.serve(t.database), s.pause(t.commit), shard.free,
		s.matching.serve(t.matching),
	}
	return func(next func()) { inOrder(steps, next) }
}

// execute runs the workflow of an object after its start.
func (s *system) execute(o *object) {
	t := s.p.times
	round := s.rounds[o.shard]
	steps := slices.Repeat([]step{round}, beforeCopy-1) // The bridge made the first round.
	steps = append(steps,
		s.slots.acquire(o.host), s.worker.serve(t.worker), s.pause(t.source), s.storage.serve(t.storage), s.pause(t.put),
		s.slots.release(o.host))
	steps = append(steps, slices.Repeat([]step{round}, beforeWake-beforeCopy)...)
	steps = append(steps, s.pause(t.publish), func(next func()) {
		s.copies = append(s.copies, s.now)
		if o.published = true; o.deleted {
			o.land()
		}
		s.frontEnd.serve(t.frontEnd.times(1 - beforeWait))(func() { s.answer(o, copied) })
		next()
	})
	inOrder(append(steps, slices.Repeat([]step{round}, rounds-beforeWake)...), func() { s.closed++ })
}

// backlog returns how many copies wait in Temporal and in the memory of bridges, and the age of the
// oldest.
func (s *system) backlog() (copies int, age time.Duration) {
	if copies = s.slots.length - (tasksPerSlot-1)*s.slots.total; copies > 0 {
		age = s.slots.age()
	}
	held := min(s.messages.length, s.p.bridges*s.p.intake)
	if held > 0 {
		age = max(age, s.messages.age(s.now))
	}
	return max(copies, 0) + held, age
}

// settled reports whether all workflows have closed and all clients have their answers.
func (s *system) settled() bool {
	return s.now > horizon || s.limits.waiters == 0 && s.closed == s.admitted()
}
