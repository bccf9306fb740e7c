package conns

import "context"

// A Buffer holds the text of an answer. net/http writes the headers of a short answer after the
// handler has returned, so a handler can't take a buffer from a pool and give it back.
type Buffer struct {
	Bytes []byte
	Value [1]string // A header's value.
}

// BufferOf returns the buffer of a request's connection. Its content is valid until the next
// request of the connection: net/http serves them one after the other, and sends each answer first.
// A request without a guarded connection gets a buffer of its own.
func BufferOf(ctx context.Context) *Buffer {
	if c, ok := ctx.Value(connKey{}).(*conn); ok {
		return &c.buffer
	}
	return &Buffer{}
}

// WithBuffer returns the context of a request on a connection of its own, without a server.
func WithBuffer(ctx context.Context) context.Context {
	return context.WithValue(ctx, connKey{}, &conn{fd: -1})
}
