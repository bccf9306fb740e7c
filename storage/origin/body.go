package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// Body is the body of a source's answer, as sent. It ends in io.EOF only if it is whole, as far as that can be told: see
// [Body.Framed]. Every other end is an *Error, or the context's error, wrapped, if the caller's context is done; it stays.
type Body struct {
	ctx       context.Context // of the request, to tell the caller's cancellation from a broken source
	host      string
	src       io.ReadCloser
	framed    bool
	size      int64 // -1 if not known
	remaining int64 // bytes still to come, if size is known
	verifier  *Verifier
	err       error // sticky
}

var _ io.ReadCloser = (*Body)(nil)

// newBody wraps the body of resp, which must have size bytes, or as many as resp says itself if size is negative, and pass
// verifier.
func newBody(ctx context.Context, resp *http.Response, size int64, verifier *Verifier) *Body {
	if size < 0 {
		size = resp.ContentLength
	}
	return &Body{
		ctx:       ctx,
		host:      resp.Request.URL.Host,
		src:       resp.Body,
		framed:    size >= 0 || slices.Contains(resp.TransferEncoding, "chunked"),
		size:      size,
		remaining: size,
		verifier:  verifier,
	}
}

// Framed tells whether the end of the body can be told from a lost connection: by a size known from HEAD or from the
// answer itself, or by chunking. Of any other body (RFC 9112, section 6.3, rule 8) io.EOF says only that the connection
// is gone, and that the bytes match the digests, if there are any.
func (b *Body) Framed() bool { return b.framed }

// Size is the length of the whole body in bytes, which Read enforces; -1 if not known.
func (b *Body) Size() int64 { return b.size }

// Close gives up what has not been read.
func (b *Body) Close() error { return b.src.Close() }

// Read returns io.EOF after exactly Size bytes; if that is not known, at the end of the framing. A body that ends short
// of it, breaks off or goes on past it gives ClassTruncated, one that does not match a digest ClassCorrupt. If the size is
// known, the last byte is then withheld, so that counting bytes is enough to notice.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	sized := b.size >= 0
	if sized && b.remaining == 0 { // only an empty body: otherwise the end was looked for along with the last byte
		b.err = b.end()
		return 0, b.err
	}
	if sized && int64(len(p)) > b.remaining {
		p = p[:b.remaining]
	}
	n, err := b.src.Read(p)
	_, _ = b.verifier.Write(p[:n])
	b.remaining -= int64(n)
	atEnd := sized && b.remaining == 0
	switch {
	case atEnd && err == nil:
		b.err = b.end()
	case errors.Is(err, io.EOF) && sized && !atEnd:
		b.err = b.truncated("ended early", nil)
	case err != nil:
		b.err = b.classify(err)
	}
	if atEnd && !errors.Is(b.err, io.EOF) && n > 0 {
		n-- // withheld: a caller that reads Size bytes and no further would never see the error
	}
	return n, b.err
}

// end makes sure that nothing follows the last byte: io.EOF if so.
func (b *Body) end() error {
	var next [1]byte
	if _, err := io.ReadFull(b.src, next[:]); err != nil {
		return b.classify(err)
	}
	return b.truncated("goes on past its length", nil)
}

// classify turns the error of a read into the caller's: io.EOF as it is if the digests match, everything else an early
// end.
func (b *Body) classify(err error) error {
	switch {
	case b.ctx.Err() != nil:
		return fmt.Errorf("read source %s: %w", b.host, b.ctx.Err())
	case errors.Is(err, io.EOF):
		if err := b.verifier.Check(); err != nil {
			return err
		}
		return io.EOF
	}
	return b.truncated("broke off", safeCause(err))
}

func (b *Body) truncated(how string, cause error) *Error {
	return &Error{Class: ClassTruncated, Text: fmt.Sprintf("body of source %s %s", b.host, how), cause: cause}
}
