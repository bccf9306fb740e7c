package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"syscall"
)

// Body is the body of a source's response, as sent. It ends in io.EOF only if it is whole, as far
// as the framing can tell: see [Body.Framed]. Every other end is an *Error, or the context's error,
// wrapped, if the caller's context is done. Errors are sticky: later reads return the same error.
type Body struct {
	ctx       context.Context // the request's, to tell the caller's cancellation from a broken source
	host      string
	meta      Meta
	src       io.ReadCloser
	framed    bool
	size      int64 // -1 if not known
	remaining int64 // bytes, if size is known
	verifier  *Verifier
	err       error // sticky
}

var _ io.ReadCloser = (*Body)(nil)

// newBody wraps the body of resp, a part or all of the object meta, which must have size bytes and
// pass verifier. A negative size means that only the framing tells the end.
func newBody(ctx context.Context, resp *http.Response, meta Meta, size int64, verifier *Verifier) *Body {
	return &Body{
		ctx:       ctx,
		host:      resp.Request.URL.Host,
		meta:      meta,
		src:       resp.Body,
		framed:    size >= 0 || slices.Contains(resp.TransferEncoding, "chunked"),
		size:      size,
		remaining: size,
		verifier:  verifier,
	}
}

// Meta describes the object.
func (b *Body) Meta() Meta { return b.meta }

// Framed reports whether the end of the body can be told from a lost connection. A length does
// that, and so does chunking. Any other body ends with the connection (RFC 9112, section 6.3, rule
// 8). Its io.EOF says only that the connection is closed, and that the bytes match the digests, if
// there are any.
func (b *Body) Framed() bool { return b.framed }

// Size is the length of the whole body in bytes, which Read enforces; -1 if it is not known.
func (b *Body) Size() int64 { return b.size }

// Close discards the unread rest of the body.
func (b *Body) Close() error { return b.src.Close() }

// Read returns io.EOF after exactly Size bytes, or at the end of the framing if the size is not
// known. A body that is shorter, breaks off or continues past its end gives ClassTruncated. A body
// that does not match a digest gives ClassCorrupt. If the size is known, Read then withholds the
// last byte, so that a caller who only counts bytes notices.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	sized := b.size >= 0
	if sized && b.remaining == 0 { // an empty body: any other's end was checked with its last byte
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
		n-- // withheld: a caller that stops after Size bytes would never see the error
	}
	return n, b.err
}

// end checks that nothing follows the last byte, and returns io.EOF if nothing does.
func (b *Body) end() error {
	var next [1]byte
	if _, err := io.ReadFull(b.src, next[:]); err != nil {
		return b.classify(err)
	}
	return b.truncated("continues past its length", nil)
}

// classify turns the error of a read into the caller's. io.EOF stays if the digests match. A lost
// connection may be any host's fault. Every other error, unless the context is done, is an early end.
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
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		text := fmt.Sprintf("the connection to host %s broke off: %s", b.host, errno.Error())
		return &Error{Class: ClassUnreachable, Text: text, cause: safeCause(err)}
	}
	return b.truncated("broke off", safeCause(err))
}

func (b *Body) truncated(how string, cause error) *Error {
	return &Error{Class: ClassTruncated, Text: fmt.Sprintf("body of source %s %s", b.host, how), cause: cause}
}
