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

// errMore reports a body that is longer than its buffer.
var errMore = &origin.Error{Class: origin.ClassTruncated, Text: "the source sent more than it declared"}

// fill reads a body into the buffer, which must have the body's size if that is known. It fails with
// errMore if the body is longer. If the size is unknown, the body must end before the buffer is
// full: a read of the next byte would not be watched. The bytes come from rest, which reads src.
func (r *run) fill(
	ctx context.Context, cut context.CancelCauseFunc, buf *buffer, src *origin.Body, rest io.Reader,
) (storage.Body, error) {
	want := buf.size // A short body shrinks the buffer
	body, err := r.load(ctx, cut, buf, rest)
	switch {
	case err == nil && src.Size() < 0:
		err = errMore
	case err == nil:
		err = end(ctx, src)
	case errors.Is(err, io.EOF) && src.Size() < 0:
		err = nil
	case errors.Is(err, io.EOF):
		err = &origin.Error{
			Class: origin.ClassTruncated, Text: fmt.Sprintf("the source sent %d of %d bytes", body.Size, want),
		}
	}
	return body, err
}

// open opens a body, and refuses it if its end can't be verified, unless the pool allows that.
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
			Text: "the source sends neither a length nor chunks, so a truncated body would go unnoticed",
		}
	}
	return body, nil
}

// end reads the end of the body, and fails if another byte follows. Only at the end does the body
// report errors of the whole, such as a digest that does not match.
func end(ctx context.Context, src io.Reader) error {
	var one [1]byte
	switch _, err := io.ReadFull(src, one[:]); {
	case err == nil:
		return errMore // Even if the source ends with this byte
	case errors.Is(err, io.EOF):
		return nil
	default:
		return orStall(ctx, err)
	}
}

// load fills the buffer, and cuts a source that stalls. It returns io.EOF if the source ends first.
func (r *run) load(
	ctx context.Context, cut context.CancelCauseFunc, buf *buffer, src io.Reader,
) (storage.Body, error) {
	r.job.Counters.Reading.Add(1)
	defer r.job.Counters.Reading.Add(-1)
	defer r.job.Counters.connect()()
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

// watch cuts the read of the source if it sends too little within one stall timeout.
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
			cut(fmt.Errorf("%w: it sent %d bytes in %s, and %d is the minimum", ErrStalled, now-last, r.copier.StallTimeout, least))
			return
		}
		last = now
	}
}

// orStall returns the stall if that is why ctx was cancelled, and err otherwise.
func orStall(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, ErrStalled) {
		return cause
	}
	return err
}
