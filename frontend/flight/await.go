package flight

import (
	"context"
	"net/netip"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// requestGrace is how much longer a client whose wait is over waits until its copy is requested.
const requestGrace = 700 * time.Millisecond

// An Outcome is the result of one client's wait.
type Outcome struct {
	// Entry is the object's entry. It is pending if the wait ended before the flight.
	Entry cache.Entry
	// FirstLook is set if the flight ended without waiting: with a final entry, QueueDown or
	// Refused.
	FirstLook bool
	// QueueDown is set if the copy could not be requested.
	QueueDown bool
	// InVain is set if the copy failed and the next try is after the end of the wait.
	InVain bool
	// TimedOut is set if the wait ran out.
	TimedOut bool
	// Refused is set if a limit stopped the client's wait or its copy request.
	Refused *LimitError
	// Gone is set if the client's context was cancelled, Stopping if the group is stopping.
	Gone, Stopping bool
}

// Wait bounds a client's wait: until Until in this request, and then for Chain in the next requests
// of its chain. Client identifies the client in the limits per client. Cold is set if the object
// has no entry, as far as the caller knows.
type Wait struct {
	Until  time.Time
	Chain  time.Duration
	Client netip.Addr
	Cold   bool
}

// leastCopy is the time that the quickest copy takes. A wait that ends sooner after the start of the
// next try is in vain.
const leastCopy = time.Second

// InVain reports whether a wait until a given time can't bring a copy: the last copy failed, and the
// next try is too late.
func InVain(e cache.Entry, until time.Time) bool {
	return e.State == cache.Error && e.Deadline.Add(leastCopy).After(until)
}

// Await joins the object's flight and waits until it has a final entry, or until no wait can bring
// a copy. Even a client that does not wait is held until its copy is requested, for 700 ms at most.
//
// digest is the SHA-256 that the client expects, in hex. Empty accepts any content. If the entry of
// a running copy has another digest, the wait ends with that entry.
func (g *Group) Await(ctx context.Context, t *Target, digest string, w Wait) Outcome {
	out := Outcome{Entry: cache.Entry{State: cache.Pending}}
	f, refused := g.join(ctx, t, digest, w)
	if refused != nil {
		out.Refused = refused
		return out
	}
	joined := g.now()
	defer func() { f.leave(w.Client, g.now().Sub(joined)) }()
	g.metrics.waiting.Inc()
	defer g.metrics.waiting.Dec()

	f.await(ctx, w, digest, &out)
	select {
	case <-f.done:
		out.Entry, out.QueueDown, out.Refused, out.FirstLook = f.entry, f.queueDown, f.refused, !f.waited
	default:
	}
	return out
}

func (f *flight) await(ctx context.Context, w Wait, digest string, out *Outcome) {
	timer := time.NewTimer(w.Until.Sub(f.group.now()))
	defer timer.Stop()
	for {
		seen, changed := f.noted()
		if out.InVain = InVain(seen, w.Until.Add(w.Chain)); out.InVain || seen.HasOtherDigest(digest) {
			out.Entry = seen
			return
		}
		select {
		case <-f.done:
			return
		case <-changed:
		case <-ctx.Done():
			out.Gone = true
			return
		case <-f.group.stopping:
			out.Stopping = true
			return
		case <-timer.C:
			out.TimedOut = true
			f.awaitRequest()
			return
		}
	}
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
