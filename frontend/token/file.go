package token

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog"
)

const (
	// pollEvery is the time between two looks at the file.
	pollEvery = 5 * time.Second
	// maxFile bounds the file, in bytes. It holds a thousand tokens, and a check compares them all.
	maxFile = 128 << 10
)

// FileOptions configures a [File]. A field is required unless its comment documents its zero value.
type FileOptions struct {
	// Path is the file's path. Each look follows symbolic links anew.
	Path string
	// PollEvery is the time between two looks at the file. Zero is 5 s.
	PollEvery time.Duration
	// Log reports changes and broken files. The zero Logger reports nothing.
	Log zerolog.Logger
	// Registry gets the metrics. Nil is none.
	Registry prometheus.Registerer
}

// File is the list of tokens in a file. It is safe for concurrent use.
type File struct {
	path   string
	every  time.Duration
	log    zerolog.Logger
	broken prometheus.Gauge
	tokens atomic.Pointer[list]
	// Of the last look; only Open and Run use them.
	seen   digest
	reason string
}

// Open reads the file. Its error names the line that is wrong, and no token.
func Open(o FileOptions) (*File, error) {
	f := &File{path: o.Path, every: o.PollEvery, log: o.Log}
	if f.every == 0 {
		f.every = pollEvery
	}
	f.broken = promauto.With(o.Registry).NewGauge(prometheus.GaugeOpts{
		Name: "cloud_mirror_tokens_file_broken",
		Help: "1 while the file of tokens can't be read or is invalid, and the last good list is in force.",
	})
	if _, err := f.load(); err != nil {
		return nil, err
	}
	return f, nil
}

// Run reloads the file when it changes, until ctx ends.
func (f *File) Run(ctx context.Context) {
	ticks := time.NewTicker(f.every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			f.reload()
		}
	}
}

// reload keeps the last good list if the file is broken. It logs each reason once.
func (f *File) reload() {
	changed, err := f.load()
	switch {
	case err != nil:
		f.broken.Set(1)
		if f.reason != err.Error() {
			f.reason = err.Error()
			f.log.Error().Err(err).Msg("tokens not reloaded; the last good list stays in force")
		}
		return
	case changed || f.reason != "":
		f.log.Info().Int("tokens", len(*f.tokens.Load())).Msg("tokens reloaded")
	}
	f.reason = ""
	f.broken.Set(0)
}

// load reports whether the file's content has changed since the last good one.
func (f *File) load() (changed bool, err error) {
	text, err := read(f.path)
	if err != nil {
		return false, err
	}
	sum := sha256.Sum256(text)
	if f.tokens.Load() != nil && sum == f.seen {
		return false, nil
	}
	l, err := parse(text)
	if err != nil {
		return false, fmt.Errorf("%s: %w", f.path, err)
	}
	f.tokens.Store(&l)
	f.seen = sum
	return true, nil
}

func read(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s: not a file", path), err)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s: more than %d bytes", path, maxFile)
	}
	return text, err
}

// find returns the entry of a token, or nil. A nil File has no tokens.
func (f *File) find(token string) *entry {
	if f == nil {
		return nil
	}
	return f.tokens.Load().find(token)
}
