package e2e

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// outcome is the answer that a client may get for a new object during an outage.
type outcome int

const (
	copied       outcome = iota // The copy
	original                    // The original URL, at the end of the wait
	originalNow                 // The original URL, at once
	originalSoon                // The original URL, at the end of the wait or sooner
	either                      // The copy, or the original URL by the end of the wait
)

// outage is a failure of one dependency, in one way.
type outage struct {
	name       string
	begin, end func()
	wait       time.Duration // Of a client that requests a new object
	fresh      outcome
	heads      int  // HEADs of the bucket for a cached object
	madeLater  bool // The copy is made after the outage, without another request
}

// TestOutages checks the answers to clients during each outage:
//
//   - A request for a cached object gets the copy.
//   - A request for a new object gets the outage's outcome.
//   - No request gets an error. The answer comes about a second after the end of the client's wait, at
//     the latest.
func TestOutages(t *testing.T) {
	s := startTappedStack(t)
	const wait = 2 * time.Second
	var all []outage
	add := func(dependency string, p faultyProxy, template outage, whenSlow outcome) {
		for _, way := range ways() {
			x := template
			x.name, x.begin, x.end = dependency+" "+string(way), func() { p.fail(way) }, p.restore
			if way == slow {
				x.fresh = whenSlow
			}
			if x.fresh == copied {
				x.wait = 15 * time.Second // On a busy machine a copy takes longer.
			}
			all = append(all, x)
		}
	}
	// A worker waits up to a second for each answer of redis, so a copy takes several seconds.
	redisDown := outage{wait: 15 * time.Second, fresh: copied, heads: 1}
	add("redis", s.redis, redisDown, copied)
	add("SQS", s.sqs, outage{wait: atOnceWait, fresh: originalNow}, copied)
	add("Temporal", s.temporal, outage{wait: wait, fresh: original, madeLater: true}, either)
	add("S3", s.s3, outage{wait: wait, fresh: either}, either)
	add("the source", s.origin, outage{wait: wait, fresh: original}, either)
	// A reply that is cut twice in a row ends the copy.
	all[len(all)-1].fresh = originalSoon
	frozen := func(name string, template outage, signal func(syscall.Signal)) {
		template.name = name
		var thaw func()
		template.begin = func() { thaw = freeze(t, signal) }
		template.end = func() { thaw() }
		all = append(all, template)
	}
	frozen("redis is frozen", redisDown, func(sig syscall.Signal) { require.NoError(t, sys.Signal("redis", sig)) })
	frozen("worker and bridge are frozen", outage{wait: wait, fresh: original, madeLater: true}, func(sig syscall.Signal) {
		s.worker.signal(t, sig)
	})

	for _, x := range all {
		t.Run(x.name, func(t *testing.T) {
			s := *s
			if x.heads > 0 { // Redis fails.
				s.frontEnd = s.impatient
			}
			cached, fresh := s.object(), s.object()
			heads := -1
			eventually(t, func() bool {
				before := heads
				isCopy := s.leadsToCopy(ask4(&s, cached), cached)
				heads = s.heads.count(cached, callHead)
				return isCopy && heads == before
			}, "control: without an outage the cached object has its copy and its entry in redis")
			x.begin()
			ended := false
			end := func() {
				if !ended {
					x.end()
				}
				ended = true
			}
			defer end()

			a := s.ask(cached, "?max_wait="+atOnceWait.String())
			require.True(t, s.leadsToCopy(a, cached), "%+v", a)
			require.Less(t, a.took, promptly)
			require.Equal(t, x.heads, s.heads.count(cached, callHead)-heads, "HEADs of the bucket")

			x.check(t, &s, fresh, s.ask(fresh, "?max_wait="+x.wait.String()))
			if x.heads > 0 {
				s.requireBreaker(t, cached)
			}
			end()
			if x.madeLater {
				eventually(t, func() bool { return s.status(fresh) == "present" }, "the copy is made without another request")
			}
			eventually(t, func() bool { return s.leadsToCopy(ask4(&s, fresh), fresh) }, "the next request gets the copy")
		})
	}
}

// ask4 waits long enough for a copy.
func ask4(s *tappedStack, object string) answer { return s.ask(object, "?max_wait=4s") }

const (
	// slack is the time that a machine under load may add.
	slack = 5 * time.Second
	// promptly bounds an answer at once: a front end waits up to a second for a dependency.
	promptly = time.Second + slack
	// atOnceWait is the wait of a client that must be answered at once. It is far above promptly.
	atOnceWait = 20 * time.Second
)

func (x outage) check(t *testing.T, s *tappedStack, fresh string, a answer) {
	t.Helper()
	require.Less(t, a.took, x.wait+time.Second+slack, "the answer is late")
	require.Equal(t, 302, a.status)
	isCopy, isSource := s.leadsToCopy(a, fresh), a.location == fresh
	switch x.fresh {
	case copied:
		require.True(t, isCopy, "%+v", a)
	case original:
		require.True(t, isSource, "%+v", a)
		require.GreaterOrEqual(t, a.took, x.wait)
	case originalNow:
		require.True(t, isSource, "%+v", a)
		require.Equal(t, "Cached copy could not be requested", a.body.Msg)
		require.Less(t, a.took, promptly)
		require.Equal(t, "absent", s.status(fresh), "a pending entry is left behind")
	case originalSoon:
		require.True(t, isSource, "%+v", a)
	case either:
		require.True(t, isCopy || isSource, "%+v", a)
	}
}

// requireBreaker requests a cached object many times. A redis that hangs must cost its timeout now
// and then, not on every request.
func (s *tappedStack) requireBreaker(t *testing.T, cached string) {
	t.Helper()
	took := make([]time.Duration, 31)
	for i := range took {
		a := s.ask(cached, "")
		require.True(t, s.leadsToCopy(a, cached), "%+v", a)
		took[i] = a.took
	}
	slices.Sort(took)
	require.Less(t, took[len(took)/2], impatience*9/10, "%v", took)
}
