package flight

import (
	"context"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// requestGrace is how much longer a client whose wait is over waits until its copy is requested.
const requestGrace = 700 * time.Millisecond

// An Outcome is the result of one client's wait.
type Outcome struct {
	// Entry is the object's entry. It is pending if the wait ended before the flight.
	Entry cache.Entry
	// FirstLook is set if the flight ended without waiting, with a final entry or QueueDown.
	FirstLook bool
	// QueueDown is set if the copy could not be requested.
	QueueDown bool
	// TimedOut is set if the wait ran out.
	TimedOut bool
	// Full is set if too many clients wait; this one did not wait.
	Full bool
	// Gone is set if the client's context was cancelled, Stopping if the group is stopping.
	Gone, Stopping bool
}

// Await joins the object's flight and waits until it has a final entry, at most until deadline.
// Even a client that does not wait is held until its copy is requested, for 700 ms at most.
//
// digest is the SHA-256, in hex, of the copy that a new flight requests. Empty accepts any content.
func (g *Group) Await(ctx context.Context, t *Target, digest string, deadline time.Time) Outcome {
	out := Outcome{Entry: cache.Entry{State: cache.Pending}}
	f := g.join(t, digest)
	if f == nil {
		out.Full = true
		return out
	}
	defer f.leave()
	g.metrics.waiting.Inc()
	defer g.metrics.waiting.Dec()

	timer := time.NewTimer(deadline.Sub(g.now()))
	defer timer.Stop()
	select {
	case <-f.done:
	case <-ctx.Done():
		out.Gone = true
	case <-g.stopping:
		out.Stopping = true
	case <-timer.C:
		out.TimedOut = true
		f.awaitRequest()
	}
	select {
	case <-f.done:
		out.Entry, out.QueueDown, out.FirstLook = f.entry, f.queueDown, !f.waited
	default:
	}
	return out
}

func (f *flight) awaitRequest() {
	grace := time.NewTimer(requestGrace)
	defer grace.Stop()
	select {
	case <-f.requested:
	case <-f.done:
	case <-grace.C:
	}
}
