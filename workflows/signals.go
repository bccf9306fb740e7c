package workflows

import (
	"go.temporal.io/sdk/workflow"
)

// The signals of [CopyObject]. A bridge sends them to a running workflow, because its object has
// one workflow at a time.
const (
	// RequestSignal requests the copy again. Its argument is a [Request].
	RequestSignal = "request"
	// PurgeSignal reports a purge. Its argument is a [Purge].
	PurgeSignal = "purge"
)

// Request is the argument of [RequestSignal].
type Request struct {
	// SHA256 is the digest that the client expects, in hex.
	SHA256 string `json:"sha256,omitempty"`
	// MinSize is the size of the smallest object that the request copies, in bytes.
	MinSize int64 `json:"minSize,omitempty"`
	// Low is set if no client waits for the copy.
	Low bool `json:"low,omitempty"`
	// Idle is set if the running activity has stored nothing that another attempt could resume.
	Idle bool `json:"idle,omitempty"`
}

// Purge is the argument of [PurgeSignal].
type Purge struct {
	// Generation is the generation that the purge left in the cache. 0 is unknown, and newer than
	// any running copy.
	Generation int64 `json:"generation,omitempty"`
}

// receive handles signals while the workflow waits for an activity.
func (c *copyObject) receive(ctx workflow.Context) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		s := workflow.NewSelector(ctx)
		s.AddReceive(c.requests(ctx), func(workflow.ReceiveChannel, bool) { c.drain(ctx) })
		s.AddReceive(c.purges(ctx), func(workflow.ReceiveChannel, bool) { c.drain(ctx) })
		for {
			s.Select(ctx)
		}
	})
}

// drain handles all signals that have arrived. The server closes no run with unhandled signals, so
// a run that drains before it returns loses none.
func (c *copyObject) drain(ctx workflow.Context) {
	var p Purge
	for c.purges(ctx).ReceiveAsync(&p) {
		c.purge(p)
		p = Purge{}
	}
	var r Request
	for c.requests(ctx).ReceiveAsync(&r) {
		c.request(r)
		r = Request{}
	}
}

func (c *copyObject) requests(ctx workflow.Context) workflow.ReceiveChannel {
	return workflow.GetSignalChannel(ctx, RequestSignal)
}

func (c *copyObject) purges(ctx workflow.Context) workflow.ReceiveChannel {
	return workflow.GetSignalChannel(ctx, PurgeSignal)
}

// request notes a request. The copy gets the lowest minimum of all requests. A client's request
// raises the priority of the remaining work. If the running activity is idle, for example because
// it waits for a worker, request schedules it again: the server can't move it.
func (c *copyObject) request(r Request) {
	c.requested = true
	c.in.MinSize = min(c.in.MinSize, r.MinSize)
	if r.SHA256 != "" {
		c.in.SHA256 = r.SHA256
	}
	if r.Low || !c.in.Low {
		return
	}
	c.in.Low = false
	if r.Idle && c.reschedule != nil {
		c.reschedule()
	}
}

// purge ends the running copy if it started before the purge. Signals arrive late and twice, and a
// copy that started after the purge must stay. Before HeadSource has returned, nothing has been
// copied.
func (c *copyObject) purge(p Purge) {
	if p.Generation != 0 && p.Generation <= max(c.generation, c.purged) {
		return
	}
	c.purged, c.overtaken = max(c.purged, p.Generation), c.headed
	if c.cancelCopy != nil {
		c.cancelCopy()
	}
}
