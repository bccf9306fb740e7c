package config

import (
	"io"

	"github.com/rs/zerolog"
)

// Logger returns a logger that writes to w in the configured level and format.
func (c *Config) Logger(w io.Writer) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.Log.Level)
	if err != nil {
		level = zerolog.InfoLevel // unreachable: Load validates the level
	}
	if c.Log.Format == "console" {
		w = zerolog.ConsoleWriter{Out: w}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}
