package copier

import (
	"math"
	"time"
)

const (
	// paceInterval is how often a copy judges its width.
	paceInterval = 40 * time.Millisecond
	// A window of at least steadyIntervals and steadyBytes, in all of which the same parts are
	// read, shows the rate of a source. Its halves may differ by a quarter: a faster second half is
	// TCP's slow start.
	steadyIntervals, steadyBytes = 4, mib
	// A window of at least probeIntervals, in all of which only the first part is read, shows the rate of
	// one connection, if all connections would have received probeBytes.
	probeIntervals, probeBytes = 2, mib / 2
	// longestProbe bounds a probe. Its window may then be shorter.
	longestProbe = time.Second
	// lateInterval shows that the processors are busy: the rate is then not only the source's.
	lateInterval = paceInterval * 3 / 2
	// leastRest is the least time that a copy still takes at its rate if it is probed.
	leastRest = 1500 * time.Millisecond
	// slowPart is the least time of a part from a slow source. A part of 8 MiB takes longer at less
	// than 8 MB/s on each connection.
	slowPart = time.Second
	// leastRate is the least rate, in bytes a second, of a source that is probed. Below it, single
	// connections hang for so long that a probe shows nothing.
	leastRate = mib
	// aloneShare is the part of the source's rate that a single connection must reach to be enough.
	// Several must reach goodShare, and be at most half of all.
	aloneShare, goodShare = 0.75, 0.95
	// narrowFor is how long a copy stays narrow before it tries all connections again.
	narrowFor = 10 * time.Second
	// fallPeriod is the period of which the rate counts, while the copy is narrow.
	fallPeriod = time.Second
)

// width decides how many parts of a copy are read at the same time. It does no I/O and reads no
// clock.
//
// A source whose connections share one rate sends to the first part alone as fast as to all. Then
// only the first part is read, and a crash costs few bytes. A source that limits each connection
// keeps them all. So does a fast source, and a source that is faster than this process.
//
//	wide ──slow and steady──▶ probing ──alone it is as fast──▶ narrow ──10 s, or slower──▶ wide
//	                             └──────alone it is slower──▶ capped
type width struct {
	most     int   // Parts in flight
	partSize int64 // Bytes

	now   int // Parts that may be read
	state widthState
	total float64       // The rate of the source, in bytes a second, before the probe
	seen  []interval    // Of this state, those that count
	since time.Duration // The time in this state
	rest  time.Duration // Until the next probe
}

type widthState int

const (
	wide    widthState = iota // All parts are read
	probing                   // The first part is read alone, as a trial
	narrow                    // The first parts are read
	capped                    // All parts are read until the end of the attempt
)

// interval is what a copy received in a short time.
type interval struct {
	took time.Duration
	// bytes were received by all parts, leading by those that may read.
	bytes, leading int64
	// left is the number of bytes that are not received yet.
	left int64
	// readers is the number of parts that were read, during the whole interval. It is 0 if a part
	// started, ended or waited meanwhile.
	readers int
	// mixed is set if another part became the first one, or if parts that may not read were still read.
	mixed bool
	// full is set if a read filled its buffer: this process is slower than the source.
	full bool
}

func newWidth(most int, partSize int64) width {
	return width{most: most, partSize: partSize, now: most}
}

// took returns the time of a window.
func took(window []interval) (sum time.Duration) {
	for _, i := range window {
		sum += i.took
	}
	return sum
}

// rate returns the rate of the intervals, in bytes a second.
func rate(all []interval, bytes func(interval) int64) float64 {
	var sum int64
	for _, i := range all {
		sum += bytes(i)
	}
	return float64(sum) / max(took(all), 1).Seconds()
}

// shows reports whether a window is long enough.
func shows(window []interval, intervals int, bytes int64) bool {
	var sum int64
	for _, i := range window {
		sum += i.bytes
	}
	return len(window) >= intervals && sum >= bytes
}

func (i interval) all() int64   { return i.bytes }
func (i interval) first() int64 { return i.leading }

// become changes the state. It forgets the intervals of the last state.
func (w *width) become(s widthState, now int) {
	w.state, w.now, w.seen, w.since = s, now, nil, 0
}

// observe judges the last interval.
func (w *width) observe(i interval) {
	w.since += i.took
	switch w.state {
	case wide:
		w.observeWide(i)
	case probing:
		w.observeProbe(i)
	case narrow:
		w.observeNarrow(i)
	case capped:
	}
}

func (w *width) observeWide(i interval) {
	w.rest -= i.took
	if w.rest > 0 || i.readers < 2 || i.full || i.took > lateInterval {
		w.seen = nil
		return
	}
	if w.seen = append(w.seen, i); !shows(w.seen, steadyIntervals, steadyBytes) {
		return
	}
	for shows(w.seen[1:], steadyIntervals, steadyBytes) {
		w.seen = w.seen[1:]
	}
	half := len(w.seen) / 2
	total := rate(w.seen, interval.all)
	before, after := rate(w.seen[:half], interval.all), rate(w.seen[half:], interval.all)
	each := total / float64(i.readers)
	steady := math.Abs(after-before) <= total/4
	slow := total >= leastRate && each*slowPart.Seconds() < float64(w.partSize)
	if !steady || !slow || float64(i.left) < total*leastRest.Seconds() {
		return
	}
	w.total = total
	w.become(probing, 1)
}

// observeProbe compares the rate of the first part alone with that of all. The width becomes the
// number of connections that are enough.
func (w *width) observeProbe(i interval) {
	if w.seen = append(w.seen, i); i.mixed || i.took > lateInterval {
		w.seen = nil
	}
	switch late := w.since >= longestProbe; {
	case !late && (len(w.seen) < probeIntervals || w.total*took(w.seen).Seconds() < probeBytes):
		return
	case len(w.seen) < probeIntervals:
		w.rest = narrowFor
		w.become(wide, w.most)
		return
	}
	alone := rate(w.seen, interval.first)
	need := math.Ceil(goodShare * w.total / max(alone, 1))
	switch {
	case alone >= aloneShare*w.total:
		w.become(narrow, 1)
	case need <= float64(w.most)/2:
		w.become(narrow, int(need))
	default:
		w.become(capped, w.most)
	}
}

// observeNarrow reads all parts again if the source becomes slower, or hangs: another connection may
// be better. It also does so after narrowFor, since the source may have become faster.
func (w *width) observeNarrow(i interval) {
	w.seen = append(w.seen, i)
	if took(w.seen) >= fallPeriod {
		if rate(w.seen, interval.all) < w.total/2 {
			w.rest = narrowFor
			w.become(wide, w.most)
			return
		}
		w.seen = nil
	}
	if w.since >= narrowFor {
		w.become(wide, w.most)
	}
}
