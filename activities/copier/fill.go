package copier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// fill reads a body that must have exactly the buffer's size.
func (r *run) fill(
	ctx context.Context, buf *buffer, open func(context.Context) (*origin.Body, error),
) (storage.Body, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	src, err := r.open(ctx, open)
	if err != nil {
		return storage.Body{}, err
	}
	defer src.Close()
	body, err := r.load(ctx, cancel, buf, src)
	switch {
	case errors.Is(err, io.EOF):
		err = &origin.Error{Class: origin.ClassTruncated, Text: fmt.Sprintf("%d of %d bytes came", body.Size, buf.size)}
	case err == nil:
		err = end(ctx, src)
	}
	return body, err
}

func (r *run) open(ctx context.Context, open func(context.Context) (*origin.Body, error)) (*origin.Body, error) {
	r.job.Counters.Reading.Add(1)
	defer r.job.Counters.Reading.Add(-1)
	body, err := open(ctx)
	if err != nil {
		return nil, err
	}
	if !body.Framed() && !r.copier.AllowUnverified {
		_ = body.Close()
		return nil, &origin.Error{
			Class: origin.ClassUnverifiable, Permanent: true,
			Text: "the source sends neither length nor chunking, so that nobody can tell whether it sent all of it",
		}
	}
	return body, nil
}

// end makes sure that nothing follows. What the source has to say of the body as a whole, such as a digest that does not
// match, it has said by then.
func end(ctx context.Context, src io.Reader) error {
	var one [1]byte
	n, err := src.Read(one[:])
	switch {
	case errors.Is(err, io.EOF) && n == 0:
		return nil
	case err != nil:
		return orStall(ctx, err)
	default:
		return &origin.Error{Class: origin.ClassTruncated, Text: "the source sent more than it declared"}
	}
}

// load fills the buffer, and cuts a source that stalls. It returns io.EOF if the source has no more.
func (r *run) load(
	ctx context.Context, cut context.CancelCauseFunc, buf *buffer, src io.Reader,
) (storage.Body, error) {
	r.job.Counters.Reading.Add(1)
	defer r.job.Counters.Reading.Add(-1)
	var got atomic.Int64
	watched := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(watched)
		r.watch(&got, cut, done)
	}()
	defer func() {
		close(done)
		<-watched
	}()
	body, err := buf.load(src, r.copier.Bucket.Checksum(), func(n int) {
		got.Add(int64(n))
		r.job.Counters.Fetched.Add(int64(n))
	})
	return body, orStall(ctx, err)
}

// watch cuts the reading when too little came in the last stretch of time.
func (r *run) watch(got *atomic.Int64, cut context.CancelCauseFunc, done <-chan struct{}) {
	ticker := time.NewTicker(r.copier.StallTimeout)
	defer ticker.Stop()
	for last := int64(0); ; {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		now := got.Load()
		if least := max(1, int64(r.copier.StallTimeout.Seconds()*float64(r.copier.MinRate))); now-last < least {
			cut(fmt.Errorf("%w: %d bytes came in %s, %d are the least", ErrStalled, now-last, r.copier.StallTimeout, least))
			return
		}
		last = now
	}
}

// orStall is why ctx was ended from here, if that is why a call failed.
func orStall(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, ErrStalled) {
		return cause
	}
	return err
}
