package copier

import (
	"context"
	"fmt"
	"math/bits"
	"sync"
)

// Memory holds the buffers of all copies of a process, and bounds their sum. Hosts share it as a
// [Budget]. The size of a buffer is a power of two. Memory keeps released buffers for the next copy.
type Memory struct {
	budget int64
	shared *Budget

	mu   sync.Mutex
	free map[int64][][]byte // By size
	made int64              // Bytes of all buffers, including free buffers
}

// NewMemory returns a Memory of at most budget bytes, of which one host can have all.
func NewMemory(budget int64) *Memory { return NewSharedMemory(budget, 1) }

// NewSharedMemory returns a Memory of at most budget bytes, of which a host's share is the given
// part, from 0 to 1.
func NewSharedMemory(budget int64, share float64) *Memory {
	return &Memory{budget: budget, shared: NewBudget(budget, share), free: map[int64][][]byte{}}
}

// MaxBuffer returns the size of the largest buffer, in bytes: the memory has room for four.
func (m *Memory) MaxBuffer() int64 { return 1 << (bits.Len64(uint64(max(m.budget/4, 1))) - 1) }

// take waits for a buffer of n bytes, at most MaxBuffer, by the rule of [Budget].
func (m *Memory) take(ctx context.Context, c Claim, n int64) ([]byte, *Hold, error) {
	size := BufferSize(n)
	hold, err := m.shared.Take(ctx, c, size)
	if err != nil {
		return nil, nil, fmt.Errorf("wait for memory: %w", err)
	}
	return m.buffer(n), hold, nil
}

// tryTake is take without a wait. It returns false if take would wait.
func (m *Memory) tryTake(c Claim, n int64) ([]byte, *Hold, bool) {
	hold, ok := m.shared.TryTake(c, BufferSize(n))
	if !ok {
		return nil, nil, false
	}
	return m.buffer(n), hold, true
}

// buffer returns a free or a new buffer for n bytes that are held.
func (m *Memory) buffer(n int64) []byte {
	size := BufferSize(n)
	m.mu.Lock()
	defer m.mu.Unlock()
	if free := m.free[size]; len(free) > 0 {
		buf := free[len(free)-1]
		m.free[size] = free[:len(free)-1]
		return buf[:n]
	}
	m.makeRoom(size)
	m.made += size
	return make([]byte, n, size)
}

// Use returns how many bytes are held, and how many copies wait for some.
func (m *Memory) Use() (held, waiting int64) { return m.shared.Use() }

// Total returns the limit in bytes.
func (m *Memory) Total() int64 { return m.budget }

// pass waits behind the copies of a host that wait for memory already.
func (m *Memory) pass(ctx context.Context, c Claim) error {
	if _, err := m.shared.Take(ctx, c, 0); err != nil {
		return fmt.Errorf("wait for memory: %w", err)
	}
	return nil
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
func (m *Memory) give(buf []byte, hold *Hold) {
	size := int64(cap(buf))
	m.mu.Lock()
	m.free[size] = append(m.free[size], buf[:0])
	m.mu.Unlock()
	hold.Release()
}

// BufferSize returns the size of a buffer for n bytes: the least power of two that is not less than
// n.
func BufferSize(n int64) int64 { return 1 << bits.Len64(uint64(max(n, 1)-1)) }
