package copier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// restart copies by one stream after parts were tried.
func (r *run) restart(ctx context.Context, why string) error {
	r.Resume, r.result.Resumed = State{}, 0
	r.Counters.Stored.Store(0)
	err := r.stream(ctx)
	r.result.Restarted = why
	return err
}

// stream copies an object that can only be read from its start to its end: parts are stored in parallel while the next
// ones are read.
func (r *run) stream(ctx context.Context) error {
	r.result.Way = WayStream
	r.verifier = origin.NewVerifier(r.Expect...) // the source's own digests are the source's business, as it is read whole
	if r.Resume.Upload != "" || r.Resume.Stream {
		r.result.Restarted = "the source serves no ranges that are pinned by a strong ETag"
	}
	if err := r.abortOthers(ctx, storage.Upload{Key: r.Input.Key}); err != nil {
		return err
	}
	reading, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	src, err := r.open(reading, func(ctx context.Context) (*origin.Body, error) { return r.Source.Get(ctx, r.URL, r.Meta) })
	if err != nil {
		return because(reading, err)
	}
	defer src.Close()
	if !src.Framed() {
		r.result.Unverified = true
		r.mark(MetadataUnverified, "true")
	}
	s := &stream{upload: upload{run: r, have: map[int32]storage.Part{}}, src: src, reading: reading, cut: cut}
	if s.state.PartSize, err = r.partSize(src.Size()); err != nil {
		return tooLarge(err)
	}
	if err = s.copy(ctx); err != nil && s.ID != "" {
		err = errors.Join(err, s.abort(ctx)) // the next try begins anew in any case
		r.Counters.Stored.Store(0)
	}
	return err
}

// stream is a copy by one stream under way.
type stream struct {
	upload
	src     *origin.Body
	reading context.Context //nolint:containedctx // that of src
	cut     context.CancelCauseFunc
}

func (s *stream) copy(ctx context.Context) error {
	var sending sync.WaitGroup
	defer sending.Wait()
	var failed firstError
	slots := semaphore.NewWeighted(s.slots())
	for number, last := int32(1), false; !last; number++ {
		buf, done, err := s.begin(s.reading, slots, s.state.PartSize)
		if err != nil {
			done()
			failed.set(err)
			break
		}
		var body storage.Body
		body, last, err = s.next(buf)
		switch {
		case err != nil:
		case last && number == 1:
			defer done()
			if err := s.verify(); err != nil {
				return err
			}
			return s.put(ctx, body)
		case number > storage.MaxParts && body.Size > 0:
			err = tooLarge(fmt.Errorf("the source sent more than %d parts of %d bytes", storage.MaxParts, s.state.PartSize))
		case number == 1:
			err = s.create(ctx, State{PartSize: s.state.PartSize, Stream: true})
		}
		failed.set(err)
		if failed.is() != nil || body.Size == 0 {
			done()
			break
		}
		sending.Go(func() {
			defer done()
			if err := s.send(ctx, number, body); err != nil {
				failed.set(err)
				s.cut(err)
			}
		})
	}
	sending.Wait()
	if err := failed.is(); err != nil {
		return err
	}
	return s.complete(ctx)
}

// next reads a part; the last one may be empty.
func (s *stream) next(buf *buffer) (body storage.Body, last bool, err error) {
	body, err = s.load(s.reading, s.cut, buf, s.src)
	if errors.Is(err, io.EOF) {
		last, err = true, nil
	}
	if err != nil {
		return body, false, err
	}
	return body, last, buf.copyTo(s.verifier)
}
