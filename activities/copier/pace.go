package copier

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"
)

// errParked reports a part whose connection was given up because earlier parts are read first. The
// part keeps the bytes that it has.
var errParked = errors.New("earlier parts are read first")

const (
	// drainedAfter is how long a read waits for a source whose bytes were all received. A part is
	// parked only then: bytes on their way would be fetched again.
	drainedAfter = time.Millisecond
	// leadBytes is how many bytes earlier than needed the next part starts, in addition to the bytes
	// that arrive until its first byte.
	leadBytes = 256 << 10
	// longestLead bounds the time to the first byte that counts for that.
	longestLead = time.Second
)

// pace lets the parts of a copy read in order, as many as its width allows. The others keep the bytes
// that they have, and wait without a connection.
type pace struct {
	mu      sync.Mutex
	width   width
	left    int64         // Bytes of the copy that are not received yet
	parts   []*pacedPart  // Those that are not read yet, in order
	changed chan struct{} // Closed at the next change of what may be read
	now     interval      // The running interval, except for took and readers
	mixed   bool          // A part started, ended or waited in the running interval
	crowded bool          // At its start, parts that may not read were read
	first   *pacedPart    // At the start of the running interval
	opening time.Duration // The time from the last request to its first byte
}

// pacedPart is a part that is not read yet.
type pacedPart struct {
	pace    *pace
	left    int64 // Bytes
	reading bool
	drained bool // The last read waited for the source
}

// newPace returns the pace of a copy that must receive left bytes.
func newPace(most, partSize, left int64) *pace {
	return &pace{width: newWidth(int(most), partSize), left: left, changed: make(chan struct{})}
}

// run judges the width until ctx is done.
func (p *pace) run(ctx context.Context) {
	if p.width.most == 1 {
		return
	}
	ticker := time.NewTicker(paceInterval)
	defer ticker.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		p.tick(now.Sub(last))
		last = now
	}
}

// tick ends the running interval.
func (p *pace) tick(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.now
	i.took, i.left = took, p.left
	if !p.mixed {
		i.readers = len(p.parts)
	}
	var first *pacedPart
	if len(p.parts) > 0 {
		first = p.parts[0]
	}
	i.mixed = first != p.first || p.crowded
	p.now, p.first = interval{}, first
	p.mixed = slices.ContainsFunc(p.parts, func(part *pacedPart) bool { return !part.reading })
	before := p.width.now
	if p.width.observe(i); p.width.now != before {
		p.notify()
	}
	p.crowded = slices.ContainsFunc(p.parts[min(p.width.now, len(p.parts)):], func(part *pacedPart) bool { return part.reading })
}

// notify wakes all parts that wait. p.mu is held.
func (p *pace) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// mayRead reports whether the part at this index may read: it is one of the first, or it follows them
// and one of them is about to end. p.mu is held.
func (p *pace) mayRead(index int) bool {
	if index != p.width.now {
		return index < p.width.now
	}
	lead := leadBytes + int64(p.width.total/float64(p.width.now)*min(p.opening, longestLead).Seconds())
	return slices.ContainsFunc(p.parts[:index], func(part *pacedPart) bool { return part.left <= lead })
}

// enter waits until a further part of n bytes may start. The caller calls done in any case, unless
// enter fails with ctx's error.
func (p *pace) enter(ctx context.Context, n int64) (*pacedPart, error) {
	part := &pacedPart{pace: p, left: n}
	err := p.wait(ctx, func() bool {
		if !p.mayRead(len(p.parts)) {
			return false
		}
		p.parts = append(p.parts, part)
		p.mixed = true
		return true
	})
	return part, err
}

// wait waits until try, which is called with p.mu held, returns true.
func (p *pace) wait(ctx context.Context, try func() bool) error {
	for {
		p.mu.Lock()
		ok, changed := try(), p.changed
		p.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// resume waits until the part may read.
func (part *pacedPart) resume(ctx context.Context) error {
	p := part.pace
	return p.wait(ctx, func() bool { return p.mayRead(slices.Index(p.parts, part)) })
}

// opened notes the time from the request to the response.
func (part *pacedPart) opened(took time.Duration) {
	p := part.pace
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opening, part.drained = took, false
}

// done ends the part: it is read, or failed. Only the first call counts.
func (part *pacedPart) done() {
	p := part.pace
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.parts, part); i >= 0 {
		p.parts = slices.Delete(p.parts, i, i+1)
		p.mixed = true
		p.notify()
	}
}

// parks reports whether the part must give up its connection now.
func (part *pacedPart) parks() bool {
	p := part.pace
	p.mu.Lock()
	defer p.mu.Unlock()
	if !part.drained || p.mayRead(slices.Index(p.parts, part)) {
		return false
	}
	part.reading, p.mixed = false, true
	return true
}

// received notes a read of n bytes that took this long.
func (part *pacedPart) received(n int, full bool, took time.Duration) {
	p := part.pace
	p.mu.Lock()
	defer p.mu.Unlock()
	if !part.reading {
		part.reading, p.mixed = true, true
	}
	part.drained = !full && took >= drainedAfter
	p.now.bytes += int64(n)
	p.left -= int64(n)
	p.now.full = p.now.full || full
	index := slices.Index(p.parts, part)
	if index >= p.width.now {
		part.left -= int64(n)
		return
	}
	p.now.leading += int64(n)
	next := p.width.now <= len(p.parts) && !p.mayRead(p.width.now)
	part.left -= int64(n)
	if next && p.mayRead(p.width.now) {
		p.notify()
	}
}

// reader reads a body of the part, and fails with errParked when earlier parts are read first.
func (part *pacedPart) reader(src io.Reader) io.Reader {
	return readFunc(func(b []byte) (int, error) {
		if part.parks() {
			return 0, errParked
		}
		start := time.Now()
		n, err := src.Read(b)
		part.received(n, n == len(b) && n == chunk, time.Since(start))
		return n, err
	})
}
