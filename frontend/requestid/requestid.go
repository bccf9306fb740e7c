package requestid

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/rs/zerolog"
)

const (
	// Header is the HTTP header of an id, in requests and answers.
	Header = "X-Request-Id"
	// Field is the field of an id in logs.
	Field = "request_id"
	// MaxLength is the length of the longest id, in bytes.
	MaxLength = 128
)

// Valid reports whether the text is an id.
func Valid(text string) bool {
	return text != "" && len(text) <= MaxLength && strings.IndexFunc(text, unprintable) < 0
}

func unprintable(c rune) bool { return c < ' ' || c > '~' }

// Of returns the id in a request's header, or a random one if that has no valid id.
func Of(h http.Header) string {
	if offered := h.Get(Header); Valid(offered) {
		return strings.Clone(offered) // It outlives the request.
	}
	return rand.Text()
}

type key struct{}

// With returns a context with the id. An empty id is none.
func With(ctx context.Context, id string) context.Context {
	if id == "" {
		return ctx
	}
	return context.WithValue(ctx, key{}, id)
}

// From returns the id in the context, or an empty string.
func From(ctx context.Context) string {
	id, _ := ctx.Value(key{}).(string)
	return id
}

// Log adds the id in the context to a log line, if there is one.
func Log(ctx context.Context, e *zerolog.Event) *zerolog.Event {
	if id := From(ctx); id != "" {
		return e.Str(Field, id)
	}
	return e
}
