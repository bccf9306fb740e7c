package token

import (
	"net/netip"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

const (
	// window is the time in which an address can send maxWrong wrong tokens.
	window   = time.Minute
	maxWrong = 10
	// maxAddresses bounds the table. A row takes about 100 bytes. Addresses beyond it share one
	// row.
	maxAddresses = 1 << 16
	// maxLogged is the number of addresses that the log names in a window. The others share a line.
	maxLogged = 100
	// sweepEvery is the time between two searches for windows that have ended.
	sweepEvery = 5 * time.Second
)

// guesses counts wrong tokens by address. It is safe for concurrent use.
type guesses struct {
	log zerolog.Logger

	mu        sync.Mutex
	addresses map[netip.Addr]*guesser
	// named counts the addresses that the log names since turn. others counts the rest.
	turn          time.Time
	named         int
	others, count int
	lacking       map[string]time.Time // When the log named a token last, by name.
}

// guesser is an address in its window.
type guesser struct {
	start time.Time
	wrong int
	named bool
}

func newGuesses(log zerolog.Logger) *guesses {
	return &guesses{log: log, addresses: map[netip.Addr]*guesser{}, lacking: map[string]time.Time{}}
}

// add counts a wrong token. Beyond the limit, it returns the time until the window ends.
func (g *guesses) add(client netip.Addr, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.guesser(client, now)
	a.wrong++
	if a.wrong <= maxWrong {
		return 0
	}
	return a.start.Add(window).Sub(now)
}

// guesser returns the row of an address, or a new row if its window has ended. The log names the
// address of a new row. The row that addresses beyond the table share has none.
func (g *guesses) guesser(client netip.Addr, now time.Time) *guesser {
	a := g.addresses[client]
	if a == nil && len(g.addresses) >= maxAddresses {
		client = netip.Addr{}
		a = g.addresses[client]
	}
	if a != nil && now.Sub(a.start) >= window {
		g.close(client, a)
		a = nil
	}
	if a == nil {
		a = &guesser{start: now, named: client.IsValid() && g.named < maxLogged}
		g.addresses[client] = a
		if a.named {
			g.named++
			g.log.Warn().Stringer("client", client).Int("count", 1).Msg("wrong token")
		}
	}
	return a
}

// end closes the windows that have ended.
func (g *guesses) end(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for client, a := range g.addresses {
		if now.Sub(a.start) >= window {
			g.close(client, a)
		}
	}
	if now.Sub(g.turn) < window {
		return
	}
	if g.others > 0 {
		g.log.Warn().Int("addresses", g.others).Int("count", g.count).Msg("wrong tokens from further addresses")
	}
	g.turn, g.named, g.others, g.count = now, 0, 0, 0
}

// close forgets an address, and logs the count of its window.
func (g *guesses) close(client netip.Addr, a *guesser) {
	delete(g.addresses, client)
	if !a.named {
		g.others++
		g.count += a.wrong
	} else if a.wrong > 1 {
		g.log.Warn().Stringer("client", client).Int("count", a.wrong).Dur("window_ms", window).
			Msg("wrong tokens")
	}
}

// lacks logs a right token that lacks a scope, once in a window.
func (g *guesses) lacks(name string, s Scope, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.Sub(g.lacking[name]) < window {
		return
	}
	if len(g.lacking) >= maxAddresses { // The file had so many names in the life of this process.
		clear(g.lacking)
	}
	g.lacking[name] = now
	g.log.Warn().Str("token", name).Str("scope", string(s)).Msg("a token lacks the scope of its request")
}
