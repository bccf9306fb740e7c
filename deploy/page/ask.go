package page

import (
	"context"
	"errors"
	"fmt"
)

// errSilent is the error of a dependency without an answer within the patience.
var errSilent = fmt.Errorf("no answer within %s", patience)

// maxCause bounds the text of an error, in runes.
const maxCause = 300

// ask calls f, and returns when ctx ends even if f does not. The calls of clients end by their own
// time-outs.
func ask[T any](ctx context.Context, f func(context.Context) (T, error)) (T, error) {
	type reply struct {
		value T
		err   error
	}
	replies := make(chan reply, 1)
	go func() {
		v, err := f(ctx)
		replies <- reply{v, err}
	}()
	var none T
	select {
	case r := <-replies:
		switch {
		case r.err == nil:
			return r.value, nil
		case errors.Is(ctx.Err(), context.DeadlineExceeded):
			return none, errSilent
		default:
			return none, r.err
		}
	case <-ctx.Done():
		return none, errSilent
	}
}

// cause returns the text of an error, or an empty string.
func cause(err error) string {
	if err == nil {
		return ""
	}
	if text := []rune(err.Error()); len(text) > maxCause {
		return string(text[:maxCause]) + "…"
	}
	return err.Error()
}
