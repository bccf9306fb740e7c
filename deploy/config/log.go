package config

import (
	"io"

	"github.com/rs/zerolog"
)

// Logger logs to w as configured.
func (c *Config) Logger(w io.Writer) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.Log.Level)
	if err != nil {
		level = zerolog.InfoLevel // Load refuses what does not parse
	}
	if c.Log.Format == "console" {
		w = zerolog.ConsoleWriter{Out: w}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}
