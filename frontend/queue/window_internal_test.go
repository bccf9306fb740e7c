package queue

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"
)

// TestWindowOfAnIntake has a window of two messages. A word of the script adds a message, takes the next
// one or ends a flight. A message is named after its host.
func TestWindowOfAnIntake(t *testing.T) {
	low := func(host string) Request {
		r := from(host)
		r.Priority = Low
		return r
	}
	for name, tc := range map[string]struct{ script, want string }{
		"two are in flight":                     {"a1 a2 a3 take take take", "a1 a2 -"},
		"each end lets another one start":       {"a1 a2 a3 a4 take take land:a1 take take", "a1 a2 a3 -"},
		"another host needs no room":            {"a1 a2 a3 b1 b2 take take take", "a1 b1 -"},
		"another host comes later":              {"a1 a2 a3 take take b1 b2 take take land:b1 take", "a1 a2 b1 - b2"},
		"other hosts need twice the room":       {"a1 a2 take take b1 c1 d1 take take take", "a1 a2 b1 c1 -"},
		"lists wait for room":                   {"low1 low2 low3 take take take land:low1 take", "low1 low2 - low3"},
		"lists come after clients":              {"low1 a1 a2 take take take land:a1 take", "a1 a2 - low1"},
		"a list of another host is no hurry":    {"a1 a2 take take low1 take", "a1 a2 -"},
		"another host, while lists are running": {"low1 low2 low3 take take a1 take take", "low1 low2 a1 -"},
	} {
		t.Run(name, func(t *testing.T) {
			in := newIntake(100, func() int { return 2 }, func(int) {})
			var got []string
			flying := map[string]*message{}
			for word := range strings.FieldsSeq(tc.script) {
				end, lands := strings.CutPrefix(word, "land:")
				switch {
				case lands:
					in.land(flying[end])
				case word == "take":
					got = append(got, "-")
					if m := in.tryNext(); m != nil {
						got[len(got)-1] = aws.ToString(m.ReceiptHandle)
						flying[got[len(got)-1]] = m
					}
				case strings.HasPrefix(word, "low"):
					in.add(in.reserve(), []*message{received(t, word, low("low"))})
				default:
					in.add(in.reserve(), []*message{received(t, word, from(word[:1]))})
				}
			}
			require.Equal(t, tc.want, strings.Join(got, " "))
		})
	}
}

// TestAFullIntakeHasNoWindow takes messages until there is room for another batch.
func TestAFullIntakeHasNoWindow(t *testing.T) {
	in := newIntake(2*batchSize, func() int { return 1 }, func(int) {})
	for range 2 {
		var batch []*message
		for range batchSize {
			batch = append(batch, received(t, "m", from("a")))
		}
		in.add(0, batch)
	}
	taken := 0
	for in.tryNext() != nil {
		taken++
	}
	require.Equal(t, batchSize, taken)
}

// TestAnIntakeFullOfBytesHasNoWindow takes messages until there is room for another batch.
func TestAnIntakeFullOfBytesHasNoWindow(t *testing.T) {
	in := newIntake(1000, func() int { return 1 }, func(int) {})
	r := from("a")
	r.URL += strings.Repeat("x", maxIntake/2)
	m := received(t, "m", r)
	var batch []*message
	for range 4 {
		same := *m
		batch = append(batch, &same)
	}
	in.add(0, batch)
	taken := 0
	for in.tryNext() != nil {
		taken++
	}
	require.Equal(t, 3, taken)
	require.Less(t, in.size, maxIntake)
}

// TestSlowRequestsLeaveTheWindow has a window of one request, and two requests that Temporal does not
// accept. They delay others for a short time only.
func TestSlowRequestsLeaveTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		in := newIntake(100, func() int { return 1 }, func(int) {})
		defer context.AfterFunc(ctx, in.close)()
		var quick, ended atomic.Int64
		r := &Receiver{
			Report: func(Outcome, Request, error) {},
			Handle: func(ctx context.Context, r Request) error {
				if strings.Contains(r.URL, "slow") {
					<-ctx.Done()
				}
				quick.Add(1)
				return errors.New("to be redelivered")
			},
			Ended: func(context.Context, Request) { ended.Add(1) },
		}
		var batch []*message
		for _, host := range []string{"slow1", "slow2", "a", "a", "b"} {
			m := received(t, host, from(host))
			m.until = time.Now().Add(time.Hour)
			batch = append(batch, m)
		}
		in.add(0, batch)
		for range 5 {
			go r.handleAll(ctx, in)
		}
		synctest.Wait()
		require.Zero(t, quick.Load(), "control: the window is full")
		<-time.After(2*maxHandling + time.Second)
		require.EqualValues(t, 3, quick.Load())
		cancel()
		synctest.Wait()
		require.EqualValues(t, 5, ended.Load())
		require.Zero(t, in.inFlight, "each flight ends once")
		require.Empty(t, in.hosts)
	})
}

// TestPurgesPassTheWindow has a purge and a list wait behind copies of one host, while twice the
// window is in flight.
func TestPurgesPassTheWindow(t *testing.T) {
	for action, want := range map[Action]string{Cancel: "purge", Delete: "purge", Put: "", Audit: "", Refresh: ""} {
		t.Run(string(action), func(t *testing.T) {
			in := newIntake(100, func() int { return 1 }, func(int) {})
			for _, name := range []string{"a1", "a2", "b1"} {
				in.add(in.reserve(), []*message{received(t, name, from(name[:1]))})
			}
			require.NotNil(t, in.tryNext())
			require.NotNil(t, in.tryNext())
			require.Nil(t, in.tryNext(), "control: the window is full")
			in.add(in.reserve(), []*message{received(t, "purge", Request{URL: "https://a/object", Action: action})})
			m, got := in.tryNext(), ""
			if m != nil {
				got = aws.ToString(m.ReceiptHandle)
			}
			require.Equal(t, want, got)
		})
	}
}

// TestPurgesTakeNoPlace has purges in flight, and then a copy of the same host.
func TestPurgesTakeNoPlace(t *testing.T) {
	for _, action := range []Action{Cancel, Delete} {
		t.Run(string(action), func(t *testing.T) {
			in := newIntake(100, func() int { return 1 }, func(int) {})
			var purges []*message
			for range 5 {
				in.add(0, []*message{received(t, "purge", Request{URL: "https://a/object", Action: action})})
				purges = append(purges, in.tryNext())
			}
			in.add(0, []*message{received(t, "a1", from("a")), received(t, "a2", from("a"))})
			require.NotNil(t, in.tryNext())
			for _, m := range purges {
				in.land(m)
			}
			require.Nil(t, in.tryNext(), "control: the copy fills the window")
		})
	}
}

// TestReceivesOfABusyIntake has a window of five. While few messages wait in SQS, a receive takes
// what the window has room for, and three more.
func TestReceivesOfABusyIntake(t *testing.T) {
	const window = 5
	for name, tc := range map[string]struct {
		waiting, inFlight int
		age               time.Duration // Of the last message
		pace              time.Duration // 50 ms if it is 0
		hanging           int           // Receives
		want              int
	}{
		"no message":                         {want: window + ahead},
		"one message waits":                  {waiting: 1, want: window + ahead - 1},
		"the window is full":                 {inFlight: window, want: ahead},
		"the window is full, others wait":    {inFlight: window, waiting: ahead, want: 0},
		"more than the window in flight":     {inFlight: 2 * window, want: 0},
		"old messages":                       {inFlight: window, waiting: 20, age: 3 * time.Second, want: batchSize},
		"old messages, at a low pace":        {inFlight: window, waiting: 20, age: 6 * time.Second, pace: time.Second, want: batchSize},
		"not so old messages, at a low pace": {inFlight: window, waiting: 20, age: 4 * time.Second, pace: time.Second, want: 0},
		"not so old messages":                {inFlight: window, waiting: 20, age: time.Second, want: 0},
		"another receive hangs":              {hanging: 1, want: 1},
		"receives hang, and a message waits": {hanging: 1, waiting: 1, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			in := newIntake(100, func() int { return window }, func(int) {})
			in.pace = cmp.Or(tc.pace, 50*time.Millisecond)
			var batch []*message
			for range tc.waiting {
				m := received(t, "m", from("a"))
				m.sent = time.Now().Add(-tc.age)
				batch = append(batch, m)
			}
			in.add(0, batch)
			in.inFlight = tc.inFlight
			for range tc.hanging {
				require.Positive(t, in.reserve())
			}
			require.Equal(t, tc.want, in.room())
		})
	}
}

// TestReceivesBehindABurst has an intake with a window of one hold a burst of one host. SQS has nothing
// else, so that receives return new messages of other hosts, or none. The intake goes on receiving
// until few messages wait in it: another host's message would otherwise wait in SQS.
func TestReceivesBehindABurst(t *testing.T) {
	for name, tc := range map[string]struct {
		waiting, fresh int
		want           bool
	}{
		"a new message":         {waiting: 300, fresh: 1, want: true},
		"no message":            {waiting: 300, want: true},
		"control: few are left": {waiting: manyWaiting},
	} {
		t.Run(name, func(t *testing.T) {
			in := newIntake(1000, func() int { return 1 }, func(int) {})
			add := func(host string, n int, age time.Duration) {
				var batch []*message
				for range n {
					m := received(t, "m", from(host))
					m.sent = time.Now().Add(-age)
					batch = append(batch, m)
				}
				in.add(0, batch)
			}
			add("a", tc.waiting, time.Minute)
			require.NotZero(t, in.room(), "control: the burst was old")
			for range 2 * batchSize {
				add("b", tc.fresh, 0)
			}
			require.Equal(t, tc.want, in.room() > 0)
		})
	}
}

// TestReceiveOfABusyIntake waits until a flight ends.
func TestReceiveOfABusyIntake(t *testing.T) {
	in := newIntake(100, func() int { return 1 }, func(int) {})
	var batch []*message
	for range 1 + ahead {
		batch = append(batch, received(t, "m", from("a")))
	}
	in.add(0, batch)
	m := in.next()
	entered := make(chan int, 1)
	go func() { entered <- in.reserve() }()
	<-time.After(10 * time.Millisecond)
	require.Empty(t, entered)
	in.land(m)
	require.Equal(t, 1, <-entered)
}

func TestPaceOfAnIntake(t *testing.T) {
	in := newIntake(100, nil, func(int) {})
	now := time.Unix(1_800_000_000, 0)
	take := func(after time.Duration, left int) {
		now, in.waiting = now.Add(after), left
		in.measure(now)
	}
	take(0, 1)
	for range 50 {
		take(100*time.Millisecond, 1)
	}
	require.InDelta(t, 100, in.pace.Milliseconds(), 1)
	take(100*time.Millisecond, 0)
	take(time.Hour, 1)
	require.InDelta(t, 100, in.pace.Milliseconds(), 1, "no message waited in that hour")
}

// TestBurstBehindAFewMessages has few messages wait in an intake with a window of one, when a burst
// of their host arrives, and then a message of another host. The intake receives the burst, because
// it has waited in SQS for long, and finds that message. It does so too if the pace varies.
func TestBurstBehindAFewMessages(t *testing.T) {
	const flight, seeds = 50 * time.Millisecond, 20
	found := func(t *testing.T, next func() time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			took := behindABurst(t, flight, next)
			require.Less(t, took, 10*time.Second, "the burst takes "+strconv.Itoa(1000*int(flight/time.Millisecond))+" ms")
		})
	}
	t.Run("at a steady pace", func(t *testing.T) { found(t, func() time.Duration { return flight }) })
	for seed := range uint64(seeds) {
		t.Run("seed "+strconv.FormatUint(seed, 10), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, seed))
			found(t, func() time.Duration { return time.Duration(rng.ExpFloat64() * float64(flight)) })
		})
	}
}

// behindABurst returns the time until the other host's message has its turn. Flights take the times
// that next returns, which have the mean flight.
func behindABurst(t *testing.T, flight time.Duration, next func() time.Duration) (took time.Duration) {
	t.Helper()
	in := newIntake(2000, func() int { return 1 }, func(int) {})
	waiting := make(chan *message, 2000) // In SQS
	send := func(host string, n int) {
		for range n {
			m := received(t, host, from(host))
			m.sent = time.Now()
			waiting <- m
		}
	}
	for range 4 { // Receivers
		go func() {
			for n := in.reserve(); n > 0; n = in.reserve() {
				<-time.After(flight)
				in.add(n, receiveSome(waiting, n))
			}
		}()
	}
	found := make(chan time.Time, 1)
	go func() {
		for m := in.next(); m != nil; m = in.next() {
			if m.host == "b" {
				found <- time.Now()
			}
			time.AfterFunc(next(), func() { in.drop(m); in.land(m) })
		}
	}()
	send("a", 14)
	<-time.After(5 * flight)
	start := time.Now()
	send("a", 1000)
	send("b", 1)
	took = (<-found).Sub(start)
	in.close()
	<-time.After(time.Second) // The receivers and the last flights end.
	return took
}

// receiveSome returns n messages at most, and does not wait.
func receiveSome(waiting <-chan *message, n int) (batch []*message) {
	for range n {
		select {
		case m := <-waiting:
			batch = append(batch, m)
		default:
			return batch
		}
	}
	return batch
}
