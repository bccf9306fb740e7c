package activities

import (
	"context"
	"fmt"

	"golang.org/x/sync/semaphore"
)

// Memory bounds the part buffers of all copies of a process together.
type Memory struct {
	budget int64
	sem    *semaphore.Weighted
}

// NewMemory returns a budget of so many bytes.
func NewMemory(budget int64) Memory {
	return Memory{budget: budget, sem: semaphore.NewWeighted(budget)}
}

// Take waits until n bytes are free and returns the function that gives them back. A copy that needs more than the whole
// budget gets all of it, so that it runs alone and not never.
func (m Memory) Take(ctx context.Context, n int64) (free func(), err error) {
	n = min(n, m.budget)
	if err := m.sem.Acquire(ctx, n); err != nil {
		return nil, fmt.Errorf("wait for memory: %w", err)
	}
	return func() { m.sem.Release(n) }, nil
}
