package e2e

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// outcome is what a client that asks for a new object may get while something is down.
type outcome int

const (
	copied   outcome = iota // the copy
	sent                    // the original URL, at the end of the wait
	sentNow                 // the original URL at once
	anywhere                // the copy, or the original URL by the end of the wait
)

// outage is one dependency that fails in one way.
type outage struct {
	name        string
	begin, end  func()
	wait        time.Duration // of a client who asks for a new object
	fresh       outcome
	looks       int  // into the bucket, for a cached object
	madeWithout bool // the copy is made after the outage without another request
}

// TestOutages is the table of what clients get whatever is down: one who asks for a cached object the copy, one who asks for
// a new one what the table says, and nobody an error or a wait that is longer than a second more than his own.
func TestOutages(t *testing.T) {
	o := newOutpost(t)
	const wait = 2 * time.Second
	var all []outage
	add := func(dependency string, p toxic, template outage, slowly outcome) {
		for _, way := range ways() {
			x := template
			x.name, x.begin, x.end = dependency+" "+way, func() { p.fail(way) }, p.mend
			if way == slow {
				x.fresh = slowly
			}
			all = append(all, x)
		}
	}
	// A worker gives redis a second for each thing that it wants of it, so that the copy takes some.
	redisAway := outage{wait: 15 * time.Second, fresh: copied, looks: 1}
	add("redis", o.redis, redisAway, copied)
	add("SQS", o.sqs, outage{wait: wait, fresh: sentNow}, copied)
	add("Temporal", o.temporal, outage{wait: wait, fresh: sent, madeWithout: true}, anywhere)
	add("S3", o.s3, outage{wait: wait, fresh: anywhere}, anywhere)
	add("the source", o.origin, outage{wait: wait, fresh: sent}, anywhere)
	frozen := func(name string, template outage, stop func(syscall.Signal)) {
		template.name = name
		var thaw func()
		template.begin = func() { thaw = freeze(t, stop) }
		template.end = func() { thaw() }
		all = append(all, template)
	}
	frozen("redis is frozen", redisAway, func(s syscall.Signal) { require.NoError(t, sys.Signal("redis", s)) })
	frozen("worker and bridge are frozen", outage{wait: wait, fresh: sent, madeWithout: true}, func(s syscall.Signal) { o.worker.signal(t, s) })

	for _, x := range all {
		t.Run(x.name, func(t *testing.T) {
			cached, fresh := o.object(), o.object()
			heads := -1
			eventually(t, func() bool {
				before := heads
				there := o.leadsToCopy(ask4(o, cached), cached)
				heads = o.heads.count(cached, callHead)
				return there && heads == before
			}, "the control: without an outage there is a copy, and redis knows of it")
			x.begin()
			ended := false
			end := func() {
				if !ended {
					x.end()
				}
				ended = true
			}
			defer end()

			a := o.ask(cached, "?max_wait="+wait.String())
			require.True(t, o.leadsToCopy(a, cached), "%+v", a)
			require.Less(t, a.took, 1500*time.Millisecond)
			require.Equal(t, x.looks, o.heads.count(cached, callHead)-heads, "looks into the bucket")

			x.check(t, o, fresh, o.ask(fresh, "?max_wait="+x.wait.String()))
			if x.looks > 0 {
				o.requireBreaker(t, cached)
			}
			end()
			if x.madeWithout {
				eventually(t, func() bool { return o.status(fresh) == "present" }, "made without another request")
			}
			eventually(t, func() bool { return o.leadsToCopy(ask4(o, fresh), fresh) }, "the next request gets the copy")
		})
	}
}

// ask4 has time for a copy.
func ask4(o *outpost, object string) answer { return o.ask(object, "?max_wait=4s") }

// slack is what a machine under load may add.
const slack = 300 * time.Millisecond

func (x outage) check(t *testing.T, o *outpost, fresh string, a answer) {
	t.Helper()
	require.Less(t, a.took, x.wait+time.Second+slack, "stuck")
	require.Equal(t, 302, a.status)
	isCopy, isSource := o.leadsToCopy(a, fresh), a.location == fresh
	switch x.fresh {
	case copied:
		require.True(t, isCopy, "%+v", a)
	case sent:
		require.True(t, isSource, "%+v", a)
		require.GreaterOrEqual(t, a.took, x.wait)
	case sentNow:
		require.True(t, isSource, "%+v", a)
		require.Equal(t, "Cached copy could not be requested", a.body.Msg)
		require.Less(t, a.took, 1200*time.Millisecond+slack)
		require.Equal(t, "absent", o.status(fresh), "a pending is left behind")
	case anywhere:
		require.True(t, isCopy || isSource, "%+v", a)
	}
}

// requireBreaker asks often for what is cached: a redis that hangs must cost a budget now and then, and not each time.
func (o *outpost) requireBreaker(t *testing.T, cached string) {
	t.Helper()
	took := make([]time.Duration, 31)
	for i := range took {
		a := o.ask(cached, "")
		require.True(t, o.leadsToCopy(a, cached), "%+v", a)
		took[i] = a.took
	}
	slices.Sort(took)
	require.Less(t, took[len(took)/2], 45*time.Millisecond, "%v", took)
}
