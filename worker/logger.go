package worker

import (
	"context"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/rs/zerolog"
	"go.temporal.io/sdk/log"
)

// temporalLogger adapts l to the Temporal SDK.
func temporalLogger(l zerolog.Logger) log.Logger {
	return log.NewStructuredLogger(slog.New(adapted{zerolog.NewSlogHandler(l)}))
}

// attemptFailed is the message of the SDK's error log of a failed attempt of an activity.
const attemptFailed = "Activity error."

// adapted demotes the SDK's error log of each failed attempt to debug: activities log that
// themselves, in one line. It spells the SDK's fields as ours: WorkflowID is workflow_id.
type adapted struct{ slog.Handler }

var _ slog.Handler = adapted{}

func (a adapted) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == attemptFailed {
		r.Level = slog.LevelDebug
		if !a.Enabled(ctx, r.Level) {
			return nil
		}
	}
	spelled := slog.NewRecord(time.Time{}, r.Level, r.Message, r.PC) // The logger adds the time.
	r.Attrs(func(attr slog.Attr) bool {
		attr.Key = snake(attr.Key)
		spelled.AddAttrs(attr)
		return true
	})
	return a.Handler.Handle(ctx, spelled)
}

func (a adapted) WithAttrs(attrs []slog.Attr) slog.Handler {
	spelled := make([]slog.Attr, len(attrs))
	for i, attr := range attrs {
		spelled[i] = slog.Attr{Key: snake(attr.Key), Value: attr.Value}
	}
	return adapted{a.Handler.WithAttrs(spelled)}
}

func (a adapted) WithGroup(name string) slog.Handler { return adapted{a.Handler.WithGroup(name)} }

// snake returns a camel-case name in snake case.
func snake(name string) string {
	var out strings.Builder
	runes := []rune(name)
	for i, c := range runes {
		if i > 0 && unicode.IsUpper(c) && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(c))
	}
	return out.String()
}
