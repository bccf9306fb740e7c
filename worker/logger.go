package worker

import (
	"log/slog"

	"github.com/rs/zerolog"
	"go.temporal.io/sdk/log"
)

// temporalLogger is l in the form that the Temporal SDK takes.
func temporalLogger(l zerolog.Logger) log.Logger {
	return log.NewStructuredLogger(slog.New(zerolog.NewSlogHandler(l)))
}
