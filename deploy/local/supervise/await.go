package supervise

import (
	"context"
	"time"
)

// update changes the state with p.mu held, and wakes every await.
func (p *Process) update(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.notify()
}

func (p *Process) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// await returns when the condition holds or fails, or when the context ends. It calls the condition
// with p.mu held.
func (p *Process) await(ctx context.Context, condition func() (bool, error)) error {
	for {
		p.mu.Lock()
		ok, err := condition()
		changed := p.changed
		p.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *Process) awaitExit(ctx context.Context) error {
	return p.await(ctx, func() (bool, error) { return p.running == nil, nil })
}

// awaitWanted waits until the process should run. It returns false if the process is closed.
func (p *Process) awaitWanted() bool {
	_ = p.await(context.Background(), func() (bool, error) { return p.wanted || p.closed, nil })
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.closed
}

// sleep waits for the given time, or until the process should no longer run.
func (p *Process) sleep(d time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	timer := p.opts.Clock.AfterFunc(d, cancel)
	defer timer.Stop()
	_ = p.await(ctx, func() (bool, error) { return !p.wanted || p.closed, nil })
}
