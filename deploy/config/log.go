package config

import (
	"io"
	"time"

	"github.com/rs/zerolog"
)

// The times of log lines, in milliseconds: RFC 3339, and the short form of a console.
const (
	logTime     = "2006-01-02T15:04:05.000Z07:00"
	consoleTime = "15:04:05.000"
)

// Logger returns a logger that writes to w in the configured level and format.
func (c *Config) Logger(w io.Writer) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.Log.Level)
	if err != nil {
		level = zerolog.InfoLevel // Unreachable: Load validates the level
	}
	if c.Log.Format == "console" {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: consoleTime}
	}
	return zerolog.New(w).Level(level).Hook(zerolog.HookFunc(stamp))
}

// stamp adds the time. The library has one format for the whole process, in seconds.
func stamp(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().Format(logTime))
}
