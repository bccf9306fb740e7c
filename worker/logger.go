package worker

import (
	"context"
	"log/slog"

	"github.com/rs/zerolog"
	"go.temporal.io/sdk/log"
)

// temporalLogger adapts l to the Temporal SDK.
func temporalLogger(l zerolog.Logger) log.Logger {
	return log.NewStructuredLogger(slog.New(quiet{zerolog.NewSlogHandler(l)}))
}

// attemptFailed is the message of the SDK's error log of a failed attempt of an activity.
const attemptFailed = "Activity error."

// quiet demotes the SDK's error log of each failed attempt to debug: the workflow retries it or
// records it. Activities log the outcome of a copy themselves.
type quiet struct{ slog.Handler }

var _ slog.Handler = quiet{}

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == attemptFailed {
		r.Level = slog.LevelDebug
		if !q.Enabled(ctx, r.Level) {
			return nil
		}
	}
	return q.Handler.Handle(ctx, r)
}

func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(attrs)} }

func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }
