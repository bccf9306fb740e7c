package frontend

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/julienschmidt/httprouter"
	"golang.org/x/sync/errgroup"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

const (
	// maxCopies is how many objects one list may name, an object being a URL in a region.
	maxCopies = 10_000
	// maxLine is the longest line of a list, in bytes: enough for all URLs of one in it.
	maxLine = 4 << 20
	// warmers is how many objects of a list are looked at at the same time.
	warmers = 16
	// lineTimeout is how long a client may take to send a line, or to read an answer.
	lineTimeout = time.Minute
)

// copyLine is one line of a list: URLs, and the regions to copy each of them into.
type copyLine struct {
	URL     string   `json:"url"`
	URLs    []string `json:"urls"`
	Service string   `json:"service"`
	Regions []string `json:"regions"`
}

// copyAnswer says what became of an object, or of a line that names none.
type copyAnswer struct {
	Line   int    `json:"line"` // of the list, from 1
	URL    string `json:"url,omitempty"`
	Region string `json:"region,omitempty"`
	// Status is present, pending, or error with what is known of it; it is left out if the object was not looked at.
	Status    cache.State  `json:"status,omitempty"`
	StatusURL string       `json:"statusUrl,omitempty"`
	Error     *requestBody `json:"error,omitempty"`
}

// copies asks for the copies of a list of objects ahead of those who will need them, behind what clients wait for. List and
// answer are streams of JSON, a line each; what is wrong with a line is said in the answer to it.
func (s *Server) copies(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if !s.authorized(r) {
		writeError(w, problem(codeUnauthn, "A list of copies needs the bearer token"))
		return
	}
	out := newAnswers(w)
	defer out.end(r.Body)
	group, ctx := errgroup.WithContext(r.Context())
	group.SetLimit(warmers)
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, maxLine)
	number, objects := 0, 0
	for ctx.Err() == nil && lines.Scan() {
		number++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		for _, item := range s.copyItems(number, lines.Bytes()) {
			if objects++; objects > maxCopies {
				item = copyAnswer{Line: number, Error: lineError(problem(codeInput, "A list may name 10000 objects, and this is one more"))}
				out.write(item)
				_ = group.Wait()
				return
			}
			group.Go(func() error { out.write(s.warmItem(ctx, item)); return nil })
		}
	}
	_ = group.Wait() // no warmer fails
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		out.write(copyAnswer{Line: number + 1, Error: lineError(problem(codeInput, "The line is longer than 4 MiB, nothing was read from here on"))})
	} else if err != nil {
		out.write(copyAnswer{Line: number + 1, Error: lineError(problem(codeInput, "The list ended in the middle"))})
	}
}

func lineError(p *requestError) *requestBody { return &requestBody{Code: p.code, Message: p.text} }

// copyItems are the objects that a line names, each with its own mistake if it has one.
func (s *Server) copyItems(number int, text []byte) []copyAnswer {
	line := copyLine{Service: "s3"}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	err := dec.Decode(&line)
	if _, more := dec.Token(); err != nil || !errors.Is(more, io.EOF) {
		return []copyAnswer{{Line: number, Error: lineError(problem(codeInput, `The line is not JSON such as {"url":"https://…","regions":["us-west-2"]}`))}}
	}
	urls := line.URLs
	if line.URL != "" {
		urls = append(urls, line.URL)
	}
	if len(urls) == 0 || len(line.Regions) == 0 {
		return []copyAnswer{{Line: number, Error: lineError(problem(codeInput, "The line names no url, or no regions"))}}
	}
	var items []copyAnswer
	for _, source := range urls {
		for _, region := range line.Regions {
			pools, err := s.poolsOf(line.Service, region, true)
			if err != nil {
				items = append(items, copyAnswer{Line: number, URL: source, Region: region, Error: lineError(asProblem(err))})
			}
			for _, p := range pools {
				items = append(items, s.copyItem(number, source, p))
			}
		}
	}
	return items
}

func (s *Server) copyItem(number int, source string, p *Pool) copyAnswer {
	a := copyAnswer{Line: number, URL: source, Region: p.Region}
	canonical, err := s.admit(source)
	if err != nil {
		a.Error = lineError(problem(codeInvalidURL, err.Error()))
		return a
	}
	a.URL, a.StatusURL = canonical, "/v1/status/"+p.Service+"/"+p.Region+"/"+url.QueryEscape(canonical)
	return a
}

// warmItem has the object copied unless it is there or under way.
func (s *Server) warmItem(ctx context.Context, a copyAnswer) copyAnswer {
	if a.Error != nil {
		return a
	}
	o := storage.Object{Service: "s3", Region: a.Region, URL: a.URL}
	t := newTarget(s.pools[o.PoolID()], o)
	entry, err := s.warmUp(ctx, t)
	if err != nil {
		a.Error = lineError(asProblem(err))
		return a
	}
	a.Status = entry.State
	if entry.State == cache.Error {
		a.Error = &requestBody{Code: code(entry.Class), Message: "The copy failed"}
	}
	return a
}

// warmUp is what a flight does for clients, but that nobody waits: it neither hurries nor comes before them.
func (s *Server) warmUp(ctx context.Context, t *target) (cache.Entry, error) {
	entry, cacheErr := s.cache.Get(ctx, t.key)
	if entry.State != cache.Absent {
		return entry, nil
	}
	if entry, ok := s.backfill(ctx, t, cacheErr == nil); ok {
		return entry, nil
	}
	if s.isStopping() || s.warm.Wait(ctx) != nil {
		return cache.Entry{}, problem(codeUnavailable, "This front end is shutting down, or the client went away: not asked for")
	}
	lease, mine := cache.Entry{State: cache.Pending}, false
	if cacheErr == nil {
		var err error
		lease, mine, err = s.cache.Acquire(ctx, t.key, s.name, s.rules.Lease)
		if err == nil && !mine {
			return lease, nil
		}
		lease.State = cache.Pending // without redis there are no leases
	}
	// Beyond the client's stay, or a lease would be left without a message.
	ctx = context.WithoutCancel(ctx)
	put := queue.Request{Pool: t.pool.ID(), URL: t.object.URL, Action: queue.Put, Priority: queue.Low}
	if err := s.queue.Send(ctx, put); err != nil {
		s.log.Warn().Err(err).Str("pool", t.pool.ID()).Msg("copy not asked for")
		if mine {
			s.release(ctx, t, lease)
		}
		return cache.Entry{}, problem(codeUnavailable, "The copy could not be asked for, try again")
	}
	return lease, nil
}

// answers writes the lines of an answer as they come.
type answers struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	control *http.ResponseController
}

func newAnswers(w http.ResponseWriter) *answers {
	a := &answers{w: w, control: http.NewResponseController(w)}
	// The list is still being read when the first answers are written.
	_ = a.control.EnableFullDuplex()
	commonHeaders(w.Header())
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	a.extend()
	return a
}

// extend gives the client time for another line.
func (a *answers) extend() {
	deadline := time.Now().Add(lineTimeout)
	_ = a.control.SetReadDeadline(deadline)
	_ = a.control.SetWriteDeadline(deadline)
}

// end reads what is left of a list, or the client might lose the last answers to a reset of the connection.
func (a *answers) end(list io.Reader) {
	a.extend()
	_, _ = io.Copy(io.Discard, io.LimitReader(list, 16*maxLine))
}

func (a *answers) write(line copyAnswer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.extend()
	_, _ = a.w.Write(render(line))
	_ = a.control.Flush()
}
