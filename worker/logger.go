package worker

import (
	"context"
	"log/slog"

	"github.com/rs/zerolog"
	"go.temporal.io/sdk/log"
)

// temporalLogger is l in the form that the Temporal SDK takes.
func temporalLogger(l zerolog.Logger) log.Logger {
	return log.NewStructuredLogger(slog.New(quiet{zerolog.NewSlogHandler(l)}))
}

// attemptFailed is what the SDK says, as an error, of every failed attempt of an activity.
const attemptFailed = "Activity error."

// quiet makes of a failed attempt what it is: something that the workflow will retry, or record. Activities say
// themselves what came of a copy.
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
