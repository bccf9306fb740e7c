package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// body is a source's body that ends in io.EOF only if it is whole.
type body struct {
	ctx   context.Context // of the request, to tell the caller's cancellation from a broken source
	host  string
	src   io.ReadCloser
	sized bool
	left  int64 // bytes still to come, if sized
	err   error // sticky
}

// newBody wraps the body of resp, which must have size bytes; any number, if size is negative.
func newBody(ctx context.Context, resp *http.Response, size int64) *body {
	return &body{ctx: ctx, host: resp.Request.URL.Host, src: resp.Body, sized: size >= 0, left: size}
}

func (b *body) Close() error { return b.src.Close() }

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	if b.sized && b.left == 0 { // only an empty body: otherwise the end was looked for along with the last byte
		b.err = b.end()
		return 0, b.err
	}
	if b.sized && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.src.Read(p)
	b.left -= int64(n)
	atEnd := b.sized && b.left == 0
	switch {
	case atEnd && err == nil:
		b.err = b.end()
	case errors.Is(err, io.EOF) && b.sized && !atEnd:
		b.err = b.truncated("ended early", nil)
	case err != nil:
		b.err = b.classify(err)
	}
	if atEnd && !errors.Is(b.err, io.EOF) && n > 0 {
		n-- // withheld: a caller that reads size bytes and no further would never see the error
	}
	return n, b.err
}

// end makes sure that nothing follows the last byte: io.EOF if so.
func (b *body) end() error {
	var one [1]byte
	if _, err := io.ReadFull(b.src, one[:]); err != nil {
		return b.classify(err)
	}
	return b.truncated("goes on past its length", nil)
}

// classify turns the error of a read into the caller's: io.EOF as it is, everything else an early end.
func (b *body) classify(err error) error {
	switch {
	case b.ctx.Err() != nil:
		return fmt.Errorf("read source %s: %w", b.host, b.ctx.Err())
	case errors.Is(err, io.EOF):
		return io.EOF
	}
	return b.truncated("broke off", safeCause(err))
}

func (b *body) truncated(how string, cause error) *Error {
	return &Error{Class: ClassTruncated, Text: fmt.Sprintf("body of source %s %s", b.host, how), cause: cause}
}
