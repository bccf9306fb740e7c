package copier

import (
	"context"
	"fmt"
	"math/bits"
	"sync"

	"golang.org/x/sync/semaphore"
)

// Memory is the buffers of all copies of a process together. Its buffers are of sizes that are powers of two, and are
// kept for the next copy.
type Memory struct {
	budget int64
	sem    *semaphore.Weighted

	mu   sync.Mutex
	free map[int64][][]byte // by size
	made int64              // bytes, free ones included
}

// NewMemory returns a budget of so many bytes.
func NewMemory(budget int64) *Memory {
	return &Memory{budget: budget, sem: semaphore.NewWeighted(budget), free: map[int64][][]byte{}}
}

// MaxBuffer is the largest buffer, in bytes: four of them fit.
func (m *Memory) MaxBuffer() int64 { return 1 << (bits.Len64(uint64(max(m.budget/4, 1))) - 1) }

// take waits until a buffer of n bytes, at most MaxBuffer, is free. The waiting are served in their order.
func (m *Memory) take(ctx context.Context, n int64) ([]byte, error) {
	size := BufferSize(n)
	if err := m.sem.Acquire(ctx, size); err != nil {
		return nil, fmt.Errorf("wait for memory: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if free := m.free[size]; len(free) > 0 {
		buf := free[len(free)-1]
		m.free[size] = free[:len(free)-1]
		return buf[:n], nil
	}
	m.makeRoom(size)
	m.made += size
	return make([]byte, n, size), nil
}

// makeRoom drops free buffers of other sizes until one of this size can be made within the budget.
func (m *Memory) makeRoom(size int64) {
	for other, free := range m.free {
		for len(free) > 0 && m.made+size > m.budget {
			free = free[:len(free)-1]
			m.made -= other
		}
		clear(free[len(free):cap(free)])
		m.free[other] = free
	}
}

// give returns a buffer.
func (m *Memory) give(buf []byte) {
	size := int64(cap(buf))
	m.mu.Lock()
	m.free[size] = append(m.free[size], buf[:0])
	m.mu.Unlock()
	m.sem.Release(size)
}

// BufferSize is what a buffer for n bytes takes: the least power of two that n bytes fit into.
func BufferSize(n int64) int64 { return 1 << bits.Len64(uint64(max(n, 1)-1)) }
