package token

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// guarded is a guard with a purge token A, a status token B and a clock.
type guarded struct {
	*Guard
	log *logged
	now time.Time
}

func newGuarded(t *testing.T) *guarded {
	path := filepath.Join(t.TempDir(), "tokens")
	write(t, path, "a purge,copies "+tokenA+"\nb status "+sha(tokenB)+"\n")
	file, err := Open(FileOptions{Path: path})
	require.NoError(t, err)
	g := &guarded{log: &logged{}, now: time.Now()}
	g.Guard = NewGuard(Options{
		File: file, Log: zerolog.New(g.log), Registry: prometheus.NewRegistry(), Now: func() time.Time { return g.now },
	})
	return g
}

func (g *guarded) check(authorization string, client netip.Addr, s Scope) (string, error) {
	r := httptest.NewRequest(http.MethodDelete, "/", http.NoBody)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return g.Check(r, client, s)
}

func (g *guarded) counts() (counts [4]float64) {
	for i, r := range []result{missing, wrong, limited, scope} {
		counts[i] = testutil.ToFloat64(g.refused[r])
	}
	return counts
}

var clientA, clientB = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::")

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		authorization string
		scope         Scope
		name          string
		err           error
		counts        [4]float64 // missing, wrong, limited, scope
	}{
		{"Bearer " + tokenA, Purge, "a", nil, [4]float64{}},
		{"bearer  " + tokenA, Copies, "a", nil, [4]float64{}},
		{"Bearer " + tokenB, Status, "b", nil, [4]float64{}},
		{"Bearer " + tokenA, Status, "", ErrScope, [4]float64{0, 0, 0, 1}},
		{"Bearer " + tokenB, Purge, "", ErrScope, [4]float64{0, 0, 0, 1}},
		{"", Purge, "", ErrWrong, [4]float64{1, 0, 0, 0}},
		{"Basic " + tokenA, Purge, "", ErrWrong, [4]float64{1, 0, 0, 0}},
		{tokenA, Purge, "", ErrWrong, [4]float64{1, 0, 0, 0}},
		{"Bearer", Purge, "", ErrWrong, [4]float64{0, 1, 0, 0}},
		{"Bearer " + tokenA[1:], Purge, "", ErrWrong, [4]float64{0, 1, 0, 0}},
		{"Bearer " + sha(tokenB), Status, "", ErrWrong, [4]float64{0, 1, 0, 0}},
	} {
		t.Run(string(c.scope)+" "+c.authorization, func(t *testing.T) {
			g := newGuarded(t)
			name, err := g.check(c.authorization, clientA, c.scope)
			assert.Equal(t, c.name, name)
			require.ErrorIs(t, err, c.err)
			assert.Equal(t, c.counts, g.counts())
			assert.NotContains(t, strings.Join(g.log.lines(), ""), tokenA[1:])
		})
	}
}

func TestNoFileRefusesAllTokens(t *testing.T) {
	g := NewGuard(Options{})
	_, err := (&guarded{Guard: g}).check("Bearer ", clientA, Purge)
	require.ErrorIs(t, err, ErrWrong)
}

func TestWrongTokensAreLimitedAndRightOnesAreNot(t *testing.T) {
	g := newGuarded(t)
	for range maxWrong {
		_, err := g.check("Bearer x", clientA, Purge)
		require.ErrorIs(t, err, ErrWrong)
	}
	g.now = g.now.Add(20 * time.Second)
	_, err := g.check("Bearer x", clientA, Purge)
	var limit *LimitError
	require.ErrorAs(t, err, &limit)
	assert.Equal(t, 40*time.Second, limit.RetryAfter)

	_, err = g.check("Bearer x", clientB, Purge)
	require.ErrorIs(t, err, ErrWrong, "another address has its own limit")
	name, err := g.check("Bearer "+tokenA, clientA, Purge)
	require.NoError(t, err, "a right token is never limited")
	assert.Equal(t, "a", name)
	_, err = g.check("", clientA, Purge)
	require.ErrorIs(t, err, ErrWrong, "no token is no guess")

	g.now = g.now.Add(40 * time.Second)
	_, err = g.check("Bearer x", clientA, Purge)
	require.ErrorIs(t, err, ErrWrong, "the window has ended")
	assert.Equal(t, [4]float64{1, 12, 1, 0}, g.counts())
}

func TestGuessesTakeFewLinesOfTheLog(t *testing.T) {
	g := newGuarded(t)
	for range 2000 {
		_, _ = g.check("Bearer guess", clientA, Purge)
	}
	assert.Equal(t, [4]float64{0, 10, 1990, 0}, g.counts())
	assert.Equal(t, []string{`{"level":"warn","client":"192.0.2.1","count":1,"message":"wrong token"}`}, g.log.lines())
	g.now = g.now.Add(window)
	g.guesses.end(g.now)
	require.Len(t, g.log.lines(), 2)
	assert.JSONEq(t, `{"level":"warn","client":"192.0.2.1","count":2000,"window_ms":60000,"message":"wrong tokens"}`, g.log.lines()[1])
	t.Logf("the log after 2,000 guesses:\n%s", strings.Join(g.log.lines(), "\n"))
}

// TestRunLogsCounts has an address whose window ends while Run runs, and another whose window is
// open at the end of Run.
func TestRunLogsCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guarded{log: &logged{}}
		g.Guard = NewGuard(Options{Log: zerolog.New(g.log)})
		ctx, stop := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { g.Run(ctx) })
		for i, client := range []netip.Addr{clientA, clientB} {
			for range 3 {
				_, _ = g.check("Bearer guess", client, Purge)
			}
			require.Len(t, g.log.lines(), 2*i+1)
			if client == clientA {
				<-time.After(window + sweepEvery) // In the bubble's time
				synctest.Wait()
			}
		}
		stop()
		run.Wait()
		lines := g.log.lines()
		require.Len(t, lines, 4)
		assert.Contains(t, lines[1], `"client":"192.0.2.1","count":3`)
		assert.Contains(t, lines[3], `"client":"2001:db8::","count":3`)
	})
}

func TestGuessesFromManyAddressesAreBounded(t *testing.T) {
	g := newGuarded(t)
	g.guesses.end(g.now)
	const clients = maxAddresses + 1000
	for i := range clients {
		client := netip.AddrFrom16([16]byte{0x20, 1, 5: byte(i >> 16), 6: byte(i >> 8), 7: byte(i)})
		for range 2 {
			_, _ = g.check("Bearer guess", client, Purge)
		}
	}
	assert.LessOrEqual(t, len(g.guesses.addresses), maxAddresses+1)
	assert.Len(t, g.log.lines(), maxLogged)
	g.now = g.now.Add(window)
	g.guesses.end(g.now)
	assert.Empty(t, g.guesses.addresses)
	lines := g.log.lines()
	require.Len(t, lines, 2*maxLogged+1)
	assert.JSONEq(t, `{"level":"warn","addresses":65437,"count":132872,"message":"wrong tokens from further addresses"}`, lines[2*maxLogged])
}

// TestFullTableNamesNoAddress has a client beyond a full table, in a minute in which the log can
// name further addresses. The row that such clients share belongs to no address.
func TestFullTableNamesNoAddress(t *testing.T) {
	g := newGuarded(t)
	g.guesses.end(g.now)
	g.now = g.now.Add(window / 2)
	for i := range maxAddresses {
		_, _ = g.check("Bearer guess", netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), Purge)
	}
	g.now = g.now.Add(window / 2)
	g.guesses.end(g.now)
	for range 2 {
		_, _ = g.check("Bearer guess", clientA, Purge)
	}
	g.now = g.now.Add(window)
	g.guesses.end(g.now)
	lines := g.log.lines()
	require.Len(t, lines, maxLogged+1)
	assert.JSONEq(t, `{"level":"warn","addresses":65437,"count":65438,"message":"wrong tokens from further addresses"}`, lines[maxLogged])
}

func TestALackingScopeIsLoggedOnceAMinute(t *testing.T) {
	g := newGuarded(t)
	for range 5 {
		_, err := g.check("Bearer "+tokenB, clientA, Purge)
		require.ErrorIs(t, err, ErrScope)
	}
	want := `{"level":"warn","token":"b","scope":"purge","message":"a token lacks the scope of its request"}`
	assert.Equal(t, []string{want}, g.log.lines())
	g.now = g.now.Add(window)
	_, _ = g.check("Bearer "+tokenB, clientA, Purge)
	assert.Equal(t, []string{want, want}, g.log.lines())
}
