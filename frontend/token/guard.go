package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/rs/zerolog"
)

// Challenge is the WWW-Authenticate header of an answer with the status 401.
const Challenge = `Bearer realm="cloud-mirror"`

var (
	// ErrWrong means that the request has no token, or one that is not in the file: answer 401.
	ErrWrong = errors.New("wrong token")
	// ErrScope means that the token lacks the scope: answer 403.
	ErrScope = errors.New("the token lacks the scope")
)

// LimitError means that the address sent too many wrong tokens: answer 429.
type LimitError struct {
	// RetryAfter is the time until the address can send a wrong token again.
	RetryAfter time.Duration
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("too many wrong tokens, retry after %v", e.RetryAfter)
}

// Options configures a [Guard].
type Options struct {
	// File holds the tokens. Nil refuses all tokens.
	File *File
	// Log reports wrong tokens. The zero Logger reports nothing.
	Log zerolog.Logger
	// Registry gets the metrics. Nil is none.
	Registry prometheus.Registerer
	// Now is the clock. Nil is time.Now.
	Now func() time.Time
}

// Guard checks the bearer tokens of requests. It is safe for concurrent use.
type Guard struct {
	file    *File
	guesses *guesses
	refused map[result]prometheus.Counter
	now     func() time.Time
}

// result is why a request is refused.
type result string

const (
	missing result = "missing" // No bearer token.
	wrong   result = "wrong"
	limited result = "limited" // A wrong token, beyond the limit.
	scope   result = "scope"   // A right token that lacks the scope.
)

// NewGuard returns a guard. It does no I/O.
func NewGuard(o Options) *Guard {
	g := &Guard{file: o.File, guesses: newGuesses(o.Log), refused: map[result]prometheus.Counter{}, now: o.Now}
	if g.now == nil {
		g.now = time.Now
	}
	vec := promauto.With(o.Registry).NewCounterVec(prometheus.CounterOpts{
		Name: "cloud_mirror_refused_tokens_total",
		Help: "Requests refused because of their bearer token, by result: missing, wrong, limited or scope.",
	}, []string{"result"})
	for _, r := range []result{missing, wrong, limited, scope} {
		g.refused[r] = vec.WithLabelValues(string(r))
	}
	return g
}

// Offered reports whether the request has a bearer token, right or wrong.
func Offered(r *http.Request) bool { _, ok := bearer(r); return ok }

// bearer returns the token of a request (https://www.rfc-editor.org/rfc/rfc6750#section-2.1).
func bearer(r *http.Request) (token string, ok bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.Trim(token, " "), strings.EqualFold(scheme, "Bearer")
}

// Check returns the name of the request's token. client identifies the client in the limit of wrong
// tokens: its IPv4 address, or the first address of its IPv6 /64. Check returns [ErrWrong],
// [ErrScope] or a [*LimitError].
//
// Check looks for the token first, so that a right one is accepted from an address that is limited.
func (g *Guard) Check(r *http.Request, client netip.Addr, s Scope) (name string, err error) {
	token, ok := bearer(r)
	if !ok { // That is no guess.
		g.refused[missing].Inc()
		return "", ErrWrong
	}
	e := g.file.find(token)
	if e == nil {
		if wait := g.guesses.add(client, g.now()); wait > 0 {
			g.refused[limited].Inc()
			return "", &LimitError{RetryAfter: wait}
		}
		g.refused[wrong].Inc()
		return "", ErrWrong
	}
	if !slices.Contains(e.scopes, s) {
		g.refused[scope].Inc()
		g.guesses.lacks(e.name, s, g.now())
		return "", ErrScope
	}
	return e.name, nil
}

// Run reloads the file and writes the counts of wrong tokens to the log, until ctx ends.
func (g *Guard) Run(ctx context.Context) {
	var reloads sync.WaitGroup
	if g.file != nil {
		reloads.Go(func() { g.file.Run(ctx) })
	}
	defer reloads.Wait()
	defer func() { g.guesses.end(g.now().Add(window)) }() // No count is lost.
	ticks := time.NewTicker(sweepEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			g.guesses.end(g.now())
		}
	}
}
