package tools

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

const (
	reportInterval = 10 * time.Second
	tailLines      = 20
)

var _ io.Writer = (*progress)(nil)

// progress displays a running build. It counts the lines of go build -v or go install -v. Each
// line names a package that was not in Go's build cache.
type progress struct {
	log   io.Writer
	title string
	start time.Time
	bar   *progressbar.ProgressBar // nil unless the log is a terminal
	done  chan struct{}
	loop  sync.WaitGroup

	mu        sync.Mutex
	partial   []byte
	lastLines []string // The last tailLines lines of output, newest last
	packages  int
	shown     bool // The user has seen the title
}

// newProgress starts a display. Unless it is announced, a build without packages to compile shows
// nothing.
func (t Tools) newProgress(title string, announced bool) *progress {
	p := &progress{log: t.Log, title: title, start: time.Now(), done: make(chan struct{})}
	if p.log == nil {
		p.log = io.Discard
	}
	if t.Terminal {
		p.bar = progressbar.NewOptions(-1,
			progressbar.OptionSetWriter(p.log), progressbar.OptionSetDescription(title),
			progressbar.OptionSpinnerType(14), progressbar.OptionShowCount(),
			progressbar.OptionSetItsString("packages"), progressbar.OptionSetElapsedTime(true),
			progressbar.OptionClearOnFinish())
	}
	if announced {
		p.show()
	}
	if p.bar != nil {
		return p // The spinner turns by itself
	}
	p.loop.Go(p.reportLoop)
	return p
}

func (p *progress) show() {
	switch {
	case p.shown:
	case p.bar != nil:
		_ = p.bar.RenderBlank()
	default:
		fmt.Fprintln(p.log, p.title)
	}
	p.shown = true
}

// reportLoop prints the progress periodically when there is no spinner.
func (p *progress) reportLoop() {
	tick := time.NewTicker(reportInterval)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-tick.C:
			p.mu.Lock()
			n, shown := p.packages, p.shown
			p.mu.Unlock()
			if shown {
				fmt.Fprintf(p.log, "%s: %d packages so far, %s\n", p.title, n, time.Since(p.start).Round(time.Second))
			}
		}
	}
}

// Write accepts output of the build.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partial = append(p.partial, b...)
	for {
		line, rest, ok := bytes.Cut(p.partial, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		p.addLine(string(line))
		p.partial = rest
	}
}

func (p *progress) addLine(line string) {
	p.lastLines = append(p.lastLines, line)
	p.lastLines = p.lastLines[max(0, len(p.lastLines)-tailLines):]
	if strings.Contains(line, " ") && !strings.HasPrefix(line, "go: downloading ") {
		return // A message, not a package
	}
	p.packages++
	p.show()
	if p.bar != nil {
		_ = p.bar.Add(1)
	}
}

// tail returns the last lines of the output, in a form to append to an error message.
func (p *progress) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := slices.Concat(p.lastLines, []string{string(p.partial)})
	return "\n    " + strings.TrimSpace(strings.Join(lines, "\n    "))
}

// finish ends the display. It leaves a failure to the returned error.
func (p *progress) finish(success bool) {
	close(p.done)
	p.loop.Wait()
	switch {
	case !p.shown:
	case p.bar != nil:
		_ = p.bar.Finish()
	case success:
		fmt.Fprintf(p.log, "%s: done, %d packages, %s\n", p.title, p.packages, time.Since(p.start).Round(time.Second))
	}
}
