package cachetest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// row is a row of failures.
type row struct {
	cache.Row
	class, run string
}

// Memory is an in-memory cache and its own watcher. The zero value is empty and up.
type Memory struct {
	mu          sync.Mutex
	err         error
	failAfter   int // calls that succeed before err; 0 if err applies at once
	entries     map[string]cache.Entry
	generations map[string]int64
	failures    map[string]row
	claims      map[string]time.Time // when they expire
	waiting     map[string][]chan struct{}
}

// Fail makes every call fail with err, as if redis was down, until Fail(nil). It wakes all waiters,
// as the real watcher does.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
	for key := range m.waiting {
		m.wake(key)
	}
}

// FailAfter makes every call after the next n fail with err, as if redis died in the middle of an
// operation.
func (m *Memory) FailAfter(n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err, m.failAfter = err, n
}

// lock locks m. It returns the function that unlocks it, and the error that the call must return.
// Like a real call, it fails if ctx has ended.
func (m *Memory) lock(ctx context.Context) (func(), error) {
	m.mu.Lock()
	m.init()
	if m.failAfter > 0 {
		m.failAfter--
		return m.mu.Unlock, nil
	}
	if m.err != nil {
		return m.mu.Unlock, m.err
	}
	return m.mu.Unlock, ctx.Err()
}

func (m *Memory) init() {
	if m.entries == nil {
		m.entries, m.generations, m.failures = map[string]cache.Entry{}, map[string]int64{}, map[string]row{}
		m.waiting, m.claims = map[string][]chan struct{}{}, map[string]time.Time{}
	}
}

func (m *Memory) read(key string) cache.Entry {
	if e := m.entries[key]; e.Deadline.After(time.Now()) {
		return e
	}
	return cache.Entry{}
}

func (m *Memory) wake(key string) {
	for _, ch := range m.waiting[key] {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// Remembered is [cache.NearCache.Remembered] of a near cache that holds nothing.
func (m *Memory) Remembered(string, time.Time) (cache.Entry, bool) { return cache.Entry{}, false }

// Get is [cache.Redis.Get].
func (m *Memory) Get(ctx context.Context, key string) (cache.Entry, error) {
	unlock, err := m.lock(ctx)
	defer unlock()
	if err != nil {
		return cache.Entry{}, err
	}
	return m.read(key), nil
}

// Read is [cache.NearCache.Read].
func (m *Memory) Read(ctx context.Context, key string) (cache.Entry, error) { return m.Get(ctx, key) }

// Acquire is [cache.Redis.Acquire].
func (m *Memory) Acquire(ctx context.Context, key string, mine cache.Entry) (cache.Entry, bool, error) {
	unlock, err := m.lock(ctx)
	defer unlock()
	if err != nil {
		return cache.Entry{}, false, err
	}
	if e := m.read(key); e.State != cache.Absent {
		return e, false, nil
	}
	m.entries[key] = mine
	return mine, true, nil
}

// Swap is [cache.Redis.Swap].
func (m *Memory) Swap(ctx context.Context, key string, from, to cache.Entry) (bool, error) {
	unlock, err := m.lock(ctx)
	defer unlock()
	if err != nil || m.read(key) != from {
		return false, err
	}
	m.entries[key] = to
	return true, nil
}

// Release is [cache.Redis.Release].
func (m *Memory) Release(ctx context.Context, key string, lease cache.Entry) error {
	_, err := m.Drop(ctx, key, lease)
	return err
}

// Drop is [cache.Redis.Drop].
func (m *Memory) Drop(ctx context.Context, key string, e cache.Entry) (bool, error) {
	unlock, err := m.lock(ctx)
	defer unlock()
	if current, ok := m.entries[key]; err != nil || !ok || current != e {
		return false, err
	}
	delete(m.entries, key)
	m.wake(key)
	return true, nil
}

// Claim is [cache.Redis.Claim].
func (m *Memory) Claim(ctx context.Context, key string, d time.Duration) (time.Duration, error) {
	unlock, err := m.lock(ctx)
	defer unlock()
	if err != nil {
		return 0, err
	}
	now := time.Now()
	if left := m.claims[key].Sub(now); left > 0 {
		return left, nil
	}
	m.claims[key] = now.Add(d)
	return 0, nil
}

// Abandon is [cache.Redis.Abandon].
func (m *Memory) Abandon(ctx context.Context, key string) error {
	unlock, err := m.lock(ctx)
	defer unlock()
	if err == nil && m.entries[key].State == cache.Pending {
		delete(m.entries, key)
		m.wake(key)
	}
	return err
}

// Generation is [cache.Redis.Generation].
func (m *Memory) Generation(ctx context.Context, key string) (int64, error) {
	unlock, err := m.lock(ctx)
	defer unlock()
	return m.generations[key], err
}

// Put is [cache.Redis.Put].
func (m *Memory) Put(ctx context.Context, key string, generation int64, e cache.Entry) error {
	unlock, err := m.lock(ctx)
	defer unlock()
	switch {
	case err != nil:
		return err
	case m.generations[key] > generation:
		return cache.ErrPurged
	case e.State != cache.Present && m.read(key).State == cache.Present:
		return nil
	case e.State == cache.Pending && e.Run != "" && m.read(key).State == cache.Error && m.read(key).Run == e.Run:
		return nil
	}
	before := m.read(key)
	m.entries[key] = e
	if e.State == cache.Present {
		delete(m.failures, key)
	}
	if isNews(before, e) {
		m.wake(key)
	}
	return nil
}

// isNews reports whether waiters must see the entry. They need a pending one only for its digest.
func isNews(before, e cache.Entry) bool {
	if e.State == cache.Pending {
		return e.SHA256 != "" && e.SHA256 != before.SHA256
	}
	return e != before
}

// Purge is [cache.Redis.Purge].
func (m *Memory) Purge(ctx context.Context, key string) (int64, error) {
	unlock, err := m.lock(ctx)
	defer unlock()
	if err != nil {
		return 0, err
	}
	m.generations[key] = max(m.generations[key]+1, time.Now().UnixMilli())
	delete(m.entries, key)
	delete(m.failures, key)
	m.wake(key)
	return m.generations[key], nil
}

// Failures is [cache.Redis.Failures], without a ttl.
func (m *Memory) Failures(ctx context.Context, key, class, run string, _ time.Duration) (cache.Row, error) {
	unlock, err := m.lock(ctx)
	defer unlock()
	if err != nil {
		return cache.Row{}, err
	}
	r := m.failures[key]
	if r.run == run {
		return r.Row, nil
	}
	if r.class != class {
		r.class, r.Same = class, 0
	}
	r.run = run
	r.All++
	r.Same++
	m.failures[key] = r
	return r.Row, nil
}

// Wait is [cache.Watcher.Wait].
func (m *Memory) Wait(key string) (<-chan struct{}, func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.init()
	ch := make(chan struct{}, 1)
	m.waiting[key] = append(m.waiting[key], ch)
	return ch, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.waiting[key] = slices.DeleteFunc(m.waiting[key], func(c chan struct{}) bool { return c == ch })
	}
}

// Waiting returns the number of waits for the entry that have not been stopped.
func (m *Memory) Waiting(key string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.waiting[key])
}

// Up is [cache.Watcher.Up].
func (m *Memory) Up() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err == nil || m.failAfter > 0
}
