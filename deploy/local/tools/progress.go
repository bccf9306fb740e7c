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
	sayEvery  = 10 * time.Second
	tailLines = 20
)

// progress takes the output of go build -v or go install -v, of which each line names a package that was not in go's
// cache, and tells how many there were.
type progress struct {
	log   io.Writer
	what  string
	began time.Time
	bar   *progressbar.ProgressBar // on a terminal
	done  chan struct{}
	loop  sync.WaitGroup

	mu       sync.Mutex
	partial  []byte
	last     []string // lines, the newest at the end
	packages int
	told     bool // the user knows of the build
}

// progress begins a display. A build that is not announced is silent unless it has packages to compile.
func (t Tools) progress(what string, announced bool) *progress {
	p := &progress{log: t.Log, what: what, began: time.Now(), done: make(chan struct{})}
	if p.log == nil {
		p.log = io.Discard
	}
	if t.Terminal {
		p.bar = progressbar.NewOptions(-1,
			progressbar.OptionSetWriter(p.log), progressbar.OptionSetDescription(what), progressbar.OptionSpinnerType(14),
			progressbar.OptionShowCount(), progressbar.OptionSetItsString("packages"), progressbar.OptionSetElapsedTime(true),
			progressbar.OptionClearOnFinish())
	}
	if announced {
		p.tellOnce()
	}
	if p.bar != nil {
		return p // it turns by itself
	}
	p.loop.Go(p.tell)
	return p
}

func (p *progress) tellOnce() {
	switch {
	case p.told:
	case p.bar != nil:
		_ = p.bar.RenderBlank()
	default:
		fmt.Fprintln(p.log, p.what)
	}
	p.told = true
}

// tell says where there is no spinner that something is going on.
func (p *progress) tell() {
	tick := time.NewTicker(sayEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-tick.C:
			p.mu.Lock()
			n, told := p.packages, p.told
			p.mu.Unlock()
			if told {
				fmt.Fprintf(p.log, "%s: %d packages so far, %s\n", p.what, n, time.Since(p.began).Round(time.Second))
			}
		}
	}
}

// Write takes the build's output.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.partial = append(p.partial, b...)
	for {
		line, rest, ok := bytes.Cut(p.partial, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		p.line(string(line))
		p.partial = rest
	}
}

func (p *progress) line(line string) {
	p.last = append(p.last, line)
	p.last = p.last[max(0, len(p.last)-tailLines):]
	if strings.Contains(line, " ") && !strings.HasPrefix(line, "go: downloading ") {
		return // a message, not a package
	}
	p.packages++
	p.tellOnce()
	if p.bar != nil {
		_ = p.bar.Add(1)
	}
}

// tail is the end of the output as the end of an error message.
func (p *progress) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := slices.Concat(p.last, []string{string(p.partial)})
	return "\n    " + strings.TrimSpace(strings.Join(lines, "\n    "))
}

// close ends the display; a failure is left to the error.
func (p *progress) close(success bool) {
	close(p.done)
	p.loop.Wait()
	switch {
	case !p.told:
	case p.bar != nil:
		_ = p.bar.Finish()
	case success:
		fmt.Fprintf(p.log, "%s: done, %d packages, %s\n", p.what, p.packages, time.Since(p.began).Round(time.Second))
	}
}
