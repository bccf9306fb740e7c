package copier

import (
	"context"
	"fmt"
	"math/bits"
	"sync"

	"golang.org/x/sync/semaphore"
)

// Memory holds the buffers of all copies of a process, and bounds their sum. The size of a buffer
// is a power of two. Memory keeps released buffers for the next copy.
type Memory struct {
	budget int64
	sem    *semaphore.Weighted

	mu   sync.Mutex
	free map[int64][][]byte // By size
	made int64              // Bytes of all buffers, including free buffers
}

// NewMemory returns a Memory of at most budget bytes.
func NewMemory(budget int64) *Memory {
	return &Memory{budget: budget, sem: semaphore.NewWeighted(budget), free: map[int64][][]byte{}}
}

// MaxBuffer returns the size of the largest buffer, in bytes: the memory has room for four.
func (m *Memory) MaxBuffer() int64 { return 1 << (bits.Len64(uint64(max(m.budget/4, 1))) - 1) }

// take waits for a buffer of n bytes, at most MaxBuffer. It serves its callers in their order.
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

// makeRoom drops free buffers of other sizes until the budget allows a new buffer of this size.
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

// BufferSize returns the size of a buffer for n bytes: the least power of two that is not less than
// n.
func BufferSize(n int64) int64 { return 1 << bits.Len64(uint64(max(n, 1)-1)) }
