package copier

import (
	"context"
	"errors"
	"io"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// stream copies an object that can only be read from its start to its end.
type stream struct {
	run     *run
	upload  *upload
	src     *origin.Body
	reading context.Context //nolint:containedctx // The context of src
	cut     context.CancelCauseFunc
}

// openStream opens the object by a plain GET. The response describes it.
func (r *run) openStream(ctx context.Context) (*stream, error) {
	reading, cut := context.WithCancelCause(ctx)
	src, err := r.open(reading, func(ctx context.Context) (*origin.Body, error) {
		return r.copier.Source.Get(ctx, r.job.URL)
	})
	if err != nil {
		cut(nil)
		return nil, err
	}
	return &stream{run: r, src: src, reading: reading, cut: cut}, nil
}

func (s *stream) close() {
	_ = s.src.Close()
	s.cut(nil)
}

// copy copies the object, stores parts in parallel while it reads the next parts, and closes the
// stream. Later tries of the job use a stream at once.
func (s *stream) copy(ctx context.Context) error {
	defer s.close()
	r := s.run
	r.result.Way = WayStream
	r.streaming.Store(true)
	if err := r.describe(s.src.Meta()); err != nil {
		return err
	}
	r.verify() // The body itself checks the source's own digests
	r.markUnframed(s.src)
	size, err := r.copier.partSize(s.src.Size())
	if err != nil {
		return err
	}
	r.resume = State{PartSize: size, Stream: true}
	r.job.Checkpoint(r.resume)
	if err := r.abortOthers(ctx, storage.Upload{Key: r.spec.Key}); err != nil {
		return err
	}
	u := &upload{run: r, state: r.resume, have: map[int32]storage.Part{}}
	s.upload = u
	if err = s.copyParts(ctx); err != nil && u.id.ID != "" {
		err = errors.Join(err, u.abort(ctx)) // The next try restarts in any case
		r.job.Counters.Stored.Store(0)
	}
	return err
}

// copyParts reads the parts in order, and stores each while it reads the next.
func (s *stream) copyParts(ctx context.Context) error {
	var sending sync.WaitGroup
	defer sending.Wait()
	var failed firstError
	turns := semaphore.NewWeighted(s.upload.inFlight())
	for number, last := int32(1), false; !last; number++ {
		turn, err := s.upload.acquireTurn(s.reading, turns, s.upload.state.PartSize)
		if err != nil {
			turn.done()
			failed.set(err)
			break
		}
		var body storage.Body
		body, last, err = s.next(turn.buf)
		if err == nil && last && number == 1 {
			defer turn.done()
			return s.run.put(ctx, body)
		}
		if err == nil {
			err = s.admit(ctx, number, body)
		}
		failed.set(err)
		if failed.get() != nil || body.Size == 0 {
			turn.done()
			break
		}
		sending.Go(func() {
			defer turn.done()
			if err := s.upload.send(ctx, number, body); err != nil {
				failed.set(err)
				s.cut(err)
			}
		})
	}
	sending.Wait()
	if err := failed.get(); err != nil {
		return err
	}
	return s.upload.complete(ctx)
}

// admit creates the upload for the first part, and refuses a part beyond the limit of S3.
func (s *stream) admit(ctx context.Context, number int32, body storage.Body) error {
	switch {
	case number > storage.MaxParts && body.Size > 0:
		return tooLarge("the source sent more than %d parts of %d bytes", storage.MaxParts, s.upload.state.PartSize)
	case number == 1:
		return s.upload.create(ctx, s.upload.state)
	default:
		return nil
	}
}

// next reads a part. The last part may be empty.
func (s *stream) next(buf *buffer) (body storage.Body, last bool, err error) {
	body, err = s.run.load(s.reading, s.cut, buf, s.run.limited(s.src))
	if errors.Is(err, io.EOF) {
		last, err = true, nil
	}
	if err != nil {
		return body, false, err
	}
	return body, last, buf.copyTo(s.run.verifier)
}
