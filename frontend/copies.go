package frontend

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/julienschmidt/httprouter"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/token"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

const (
	// maxCopies is the most objects in one list. An object is a URL in a region.
	maxCopies = 10_000
	// maxLine is the longest line of a list, in bytes: enough for all URLs of a list.
	maxLine = 4 << 20
	// MaxListMemory is the most memory that a list takes while it is served, in bytes: a few copies
	// of its longest line.
	MaxListMemory = 5 * maxLine
	// warmers is the number of objects of one list that are requested concurrently.
	warmers = 16
)

// lists serves /v1/copies: it requests copies of a list of objects ahead of their clients, and
// behind the copies that clients wait for.
type lists struct {
	paths    paths
	entries  Entries
	flights  *flight.Group
	bypasses *cache.Bypasses
	tokens   tokens
	slots    *semaphore.Weighted // Bounds the lists in flight; nil is no limit.
	minSize  int64
	metrics  metrics
}

func newLists(paths paths, o Options, t tokens, m metrics) *lists {
	s := &lists{paths: paths, entries: o.Entries, flights: o.Flights, bypasses: o.Bypasses, tokens: t, minSize: o.MinSize, metrics: m}
	if o.MaxLists > 0 {
		s.slots = semaphore.NewWeighted(int64(o.MaxLists))
	}
	return s
}

var errTooManyLists = problem(codeUnavailable, "Too many lists are served, try again")

// serve streams: both the list and the answer are lines of JSON. An error in a line of the list is
// reported in a line of the answer.
func (s *lists) serve(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if _, err := s.tokens.authorize(r, token.Copies, "A list of copies needs a bearer token with the scope copies"); err != nil {
		abandonBody(w)
		writeError(w, err)
		return
	}
	if hasQuery(r) {
		abandonBody(w)
		refuse(w, s.metrics, errQuery)
		return
	}
	if !s.take() {
		s.metrics.lists.Inc()
		abandonBody(w)
		writeError(w, errTooManyLists)
		return
	}
	defer s.free()
	out := newListWriter(r.Context(), w)
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
		named, items := s.paths.items(number, lines.Bytes())
		if objects += named; objects > maxCopies {
			out.write(listAnswer{Line: number, Error: lineError(errTooMany)})
			_ = group.Wait()
			return
		}
		for item := range items {
			if ctx.Err() != nil { // The client has left: request nothing for it.
				break
			}
			group.Go(func() error { out.write(s.warm(ctx, item)); return nil })
		}
	}
	_ = group.Wait() // It returns nil: warm reports its errors as answers.
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		out.write(listAnswer{Line: number + 1, Error: lineError(problem(codeInput, "The line is longer than 4 MiB, nothing was read from here on"))})
	} else if err != nil {
		out.write(listAnswer{Line: number + 1, Error: lineError(problem(codeInput, "The list was cut short"))})
	}
}

// take takes a slot if one is free.
func (s *lists) take() bool { return s.slots == nil || s.slots.TryAcquire(1) }

func (s *lists) free() {
	if s.slots != nil {
		s.slots.Release(1)
	}
}

// warm requests an object's copy unless it exists or is in flight.
func (s *lists) warm(ctx context.Context, item listItem) listAnswer {
	a := item.answer()
	if item.err != nil {
		return a
	}
	if o := item.target.Object; s.bypasses.Covers(storage.PoolID(o.Service, o.Region), o.URL, time.Now()) {
		a.Error = lineError(problem(codeUnavailable, switchedOff))
		return a
	}
	item.target.MinSize = s.minSize
	entry, redisErr := s.entries.Get(ctx, item.target.Key)
	if entry = entry.For(item.target.MinSize); entry.State == cache.Absent {
		var err error
		if entry, err = s.flights.Warm(ctx, item.target, redisErr); err != nil {
			a.Error = lineError(s.notRequested(ctx, err))
			return a
		}
	}
	if entry.State == cache.Error && entry.Class == cache.ClassTooSmall { // This is no failure, and no copy is requested.
		a.Error = lineError(problem(code(cache.ClassTooSmall), tooSmall(entry)))
		return a
	}
	a.Status, a.Attempts, a.NextRetry = entry.State, entry.Attempts, nextRetry(entry, time.Now())
	if entry.State == cache.Error {
		a.Error = &requestBody{Code: code(entry.Class), Message: "The copy failed"}
	}
	return a
}

func (s *lists) notRequested(ctx context.Context, err error) *requestError {
	if refusal, ok := errors.AsType[*flight.LimitError](err); ok {
		s.metrics.reachedLimit(refusal.Limit)
		return limitProblem(http.StatusServiceUnavailable, refusal)
	}
	if s.flights.Stopping() || ctx.Err() != nil {
		return problem(codeUnavailable, "Not requested: the front end is shutting down, or the client left")
	}
	return problem(codeUnavailable, "The copy could not be requested, try again")
}
