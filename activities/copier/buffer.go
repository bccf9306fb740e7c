package copier

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// buffer holds one part while it is in flight: in memory, or in a file if the part is too large for
// that.
type buffer struct {
	counters *Counters
	memory   *Memory
	file     *os.File
	hold     *Hold
	size     int64
	got      int64     // Bytes that are loaded
	sum      hash.Hash // Of these bytes

	mu  sync.RWMutex
	mem []byte // Unset after release
}

var _ io.ReaderAt = (*buffer)(nil)

// newBuffer waits for memory, or disk, for n bytes.
func (r *run) newBuffer(ctx context.Context, m *Memory, n int64) (*buffer, error) {
	r.job.Counters.Waiting.Add(1)
	defer r.job.Counters.Waiting.Add(-1)
	buf := &buffer{counters: &r.job.Counters, size: n}
	var err error
	if n > m.MaxBuffer() {
		buf.file, buf.hold, err = r.copier.newFile(ctx, r.claim, n)
	} else {
		buf.memory = m
		buf.mem, buf.hold, err = m.take(ctx, r.claim, n)
	}
	if err != nil {
		return nil, err
	}
	r.job.Counters.Held.Add(1)
	return buf, nil
}

// tryBuffer is newBuffer without a wait. It returns nil if newBuffer would wait, or needs a file.
func (r *run) tryBuffer(m *Memory, n int64) *buffer {
	if n > m.MaxBuffer() {
		return nil
	}
	mem, hold, ok := m.tryTake(r.claim, n)
	if !ok {
		return nil
	}
	r.job.Counters.Held.Add(1)
	return &buffer{counters: &r.job.Counters, memory: m, mem: mem, hold: hold, size: n}
}

// release gives the memory back, after which reads fail. Package net/http may read a request's body
// for a while after the request was cancelled, and must not read the bytes of another part.
func (b *buffer) release() {
	b.counters.Held.Add(-1)
	if b.file != nil {
		_ = b.file.Close()
		b.hold.Release()
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.memory.give(b.mem, b.hold)
	b.mem = nil
}

var errReleased = errors.New("the part's buffer was released")

// ReadAt implements [io.ReaderAt].
func (b *buffer) ReadAt(p []byte, off int64) (n int, err error) {
	defer func() { b.counters.Read.Add(int64(n)) }()
	if b.file != nil {
		return b.file.ReadAt(p, off)
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.mem == nil {
		return 0, errReleased
	}
	if n = copy(p, b.mem[off:]); n < len(p) {
		err = io.EOF
	}
	return n, err
}

// read returns a reader of the bytes. Each reader starts at the first byte.
func (b *buffer) read() io.ReadSeeker { return io.NewSectionReader(b, 0, b.size) }

// copyTo writes the bytes to w.
func (b *buffer) copyTo(w io.Writer) (err error) {
	if b.file == nil {
		_, err = w.Write(b.mem[:b.size])
	} else {
		_, err = io.Copy(w, b.read())
	}
	if err != nil {
		return fmt.Errorf("read a part again: %w", err)
	}
	return nil
}

// chunk is how many bytes are read and then hashed at a time, while they are still in the
// processor's cache.
const chunk = 256 << 10

// load reads src until the buffer is full or src ends, and returns the bytes as a body. It calls
// count after every read. If src fails with errParked, the next load continues.
func (b *buffer) load(src io.Reader, sum storage.Checksum, count func(n int)) (storage.Body, error) {
	if b.sum == nil {
		b.sum = sum.New()
	}
	var scratch []byte
	if b.file != nil {
		scratch = make([]byte, chunk)
	}
	for b.got < b.size {
		part := scratch[:min(int64(len(scratch)), b.size-b.got)]
		if b.file == nil {
			part = b.mem[b.got:min(b.got+chunk, b.size)]
		}
		got, err := src.Read(part)
		b.sum.Write(part[:got])
		if b.file != nil {
			if _, err := b.file.Write(part[:got]); err != nil {
				return storage.Body{}, fmt.Errorf("write a part to its file: %w", err)
			}
		}
		count(got)
		b.got += int64(got)
		switch {
		case err == nil, err == io.EOF && b.got == b.size:
		case errors.Is(err, errParked):
			return storage.Body{}, err
		default:
			b.size = b.got
			return b.body(), err
		}
	}
	return b.body(), nil
}

// body returns the loaded bytes.
func (b *buffer) body() storage.Body {
	return storage.Body{ReadSeeker: b.read(), Size: b.got, Sum: b.sum.Sum(nil)}
}
