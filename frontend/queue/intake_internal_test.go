package queue

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/require"
)

// received returns a message with a request, whose handle is a name for the test.
func received(t *testing.T, name string, r Request) *message {
	t.Helper()
	r.Pool = "s3_us-west-2"
	body, err := Encode(r)
	require.NoError(t, err)
	m := newMessage(types.Message{Body: &body, ReceiptHandle: &name}, time.Now())
	require.NoError(t, m.invalid)
	return m
}

func from(host string) Request { return Request{URL: "https://" + host + "/object", Action: Put} }

// order takes all messages and returns their names.
func order(in *intake) (names []string) {
	for in.waiting > 0 {
		names = append(names, aws.ToString(in.next().ReceiptHandle))
	}
	return names
}

// tryNext is next without the wait.
func (in *intake) tryNext() *message {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.take()
}

func TestOrderOfAnIntake(t *testing.T) {
	low := func(host string) Request {
		r := from(host)
		r.Priority = Low
		return r
	}
	action := func(a Action) Request { return Request{URL: "https://a/object", Action: a} }
	type arrival struct {
		name string
		r    Request
	}
	for name, tc := range map[string]struct {
		arrivals []arrival
		want     string
	}{
		"one host": {[]arrival{{"1", from("a")}, {"2", from("a")}, {"3", from("a")}}, "1 2 3"},
		"hosts take turns": {[]arrival{
			{"a1", from("a")}, {"a2", from("a")}, {"a3", from("a")}, {"a4", from("a")}, {"b1", from("b")}, {"c1", from("c")}, {"c2", from("c")},
		}, "a1 b1 c1 a2 c2 a3 a4"},
		"hosts differ by port and not by case": {[]arrival{
			{"a1", from("a")}, {"a2", from("A")}, {"p1", from("a:81")},
		}, "a1 p1 a2"},
		"purges come first, and lists, audits and refreshes last": {[]arrival{
			{"l1", low("a")}, {"l2", low("b")}, {"audit", action(Audit)}, {"refresh", action(Refresh)},
			{"a1", from("a")}, {"a2", from("a")}, {"purge", action(Cancel)}, {"delete", action(Delete)},
		}, "purge delete a1 a2 l1 l2 audit refresh"},
	} {
		t.Run(name, func(t *testing.T) {
			in := newIntake(100, nil, func(int) {})
			for _, a := range tc.arrivals {
				in.add(in.reserve(), []*message{received(t, a.name, a.r)})
			}
			require.Equal(t, tc.want, strings.Join(order(in), " "))
			require.Zero(t, in.size)
			require.Empty(t, in.clients.of)
			require.Empty(t, in.low.of)
			require.Len(t, in.held, len(tc.arrivals), "they are held until they are dropped")
		})
	}
}

// TestJunkOfAnIntake has junk take turns with requests, as if it were from one host.
func TestJunkOfAnIntake(t *testing.T) {
	in := newIntake(100, nil, func(int) {})
	junk := func(name string) *message {
		m := newMessage(types.Message{Body: aws.String("junk"), ReceiptHandle: &name}, time.Now())
		require.Error(t, m.invalid)
		return m
	}
	in.add(in.reserve(), []*message{junk("j1"), junk("j2"), junk("j3"), received(t, "a1", from("a"))})
	require.Equal(t, []string{"j1", "a1", "j2", "j3"}, order(in))
}

// TestIntakeIsBounded fills an intake by number and by size. A receive waits until handlers have
// made room.
func TestIntakeIsBounded(t *testing.T) {
	var small, large []*message
	for range batchSize {
		small = append(small, received(t, "m", from("a")))
	}
	for range 2 {
		r := from("a")
		r.URL += strings.Repeat("x", maxIntake/2)
		large = append(large, received(t, "m", r))
	}
	for name, tc := range map[string]struct {
		limit   int
		batches [][]*message
		takes   int // Until there is room
	}{
		"by number":           {2 * batchSize, [][]*message{small, small}, batchSize},
		"by size":             {1000, [][]*message{large}, 1},
		"never below a batch": {1, [][]*message{small}, batchSize},
	} {
		t.Run(name, func(t *testing.T) {
			in := newIntake(tc.limit, nil, func(int) {})
			for _, batch := range tc.batches {
				in.add(0, batch)
			}
			entered := make(chan int, 1)
			go func() { entered <- in.reserve() }()
			for range tc.takes {
				in.mu.Lock()
				require.Zero(t, in.room())
				in.mu.Unlock()
				require.Empty(t, entered)
				require.NotNil(t, in.next())
			}
			require.Positive(t, <-entered, "control: there is room now")
		})
	}
}

// TestRunningReceivesCount has receives that return fewer messages than they may.
func TestRunningReceivesCount(t *testing.T) {
	in := newIntake(2*batchSize, nil, func(int) {})
	require.Equal(t, batchSize, in.reserve())
	require.Equal(t, batchSize, in.reserve())
	require.Zero(t, in.room())
	in.add(batchSize, nil)
	require.Positive(t, in.room())
}

func TestClosedIntakeEndsWaits(t *testing.T) {
	in := newIntake(batchSize, nil, func(int) {})
	next := make(chan *message)
	go func() { next <- in.next() }()
	n := in.reserve()
	reserved := make(chan int)
	go func() { reserved <- in.reserve() }()
	in.close()
	require.Nil(t, <-next)
	require.Zero(t, <-reserved)
	in.add(n, []*message{received(t, "late", from("a"))})
	require.Nil(t, in.next(), "nothing is handled after the end")
	require.Len(t, in.shownBefore(time.Now().Add(time.Hour)), 1, "it is given back")
}

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

// TestReceivesOfABusyIntake has a window of five. While few messages wait in SQS, a receive takes
// what the window has room for, and three more.
func TestReceivesOfABusyIntake(t *testing.T) {
	const window = 5
	for name, tc := range map[string]struct {
		waiting, inFlight int
		age               time.Duration // Of the last message
		hanging           int           // Receives
		want              int
	}{
		"no message":                         {want: window + ahead},
		"one message waits":                  {waiting: 1, want: window + ahead - 1},
		"the window is full":                 {inFlight: window, want: ahead},
		"the window is full, others wait":    {inFlight: window, waiting: ahead, want: 0},
		"more than the window in flight":     {inFlight: 2 * window, want: 0},
		"old messages":                       {inFlight: window, waiting: 20, age: 3 * time.Second, want: batchSize},
		"not so old messages":                {inFlight: window, waiting: 20, age: 2 * time.Second, want: 0},
		"another receive hangs":              {hanging: 1, want: 1},
		"receives hang, and a message waits": {hanging: 1, waiting: 1, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			in := newIntake(100, func() int { return window }, func(int) {})
			in.pace = 50 * time.Millisecond
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

// TestBacklogOfAnIntake has messages of two pools wait. Lists have no age, and neither has a message
// without a time.
func TestBacklogOfAnIntake(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	in := newIntake(100, nil, func(int) {})
	for _, m := range []struct {
		pool     string
		sent     string
		priority Priority
	}{
		{"s3_us-west-2", "1799999990000", ""}, {"s3_us-west-2", "1799999995000", ""}, {"s3_us-west-2", "1799999900000", Low},
		{"s3_us-west-2", "", ""}, {"s3_us-west-2", "soon", ""}, {"s3_us-east-1", "1799999998000", ""},
	} {
		body, err := Encode(Request{Pool: m.pool, URL: "https://a/object", Action: Put, Priority: m.priority})
		require.NoError(t, err)
		in.add(in.reserve(), []*message{newMessage(types.Message{Body: &body, Attributes: map[string]string{"SentTimestamp": m.sent}}, now)})
	}
	for pool, want := range map[string]struct {
		messages int64
		age      time.Duration
	}{"s3_us-west-2": {5, 10 * time.Second}, "s3_us-east-1": {1, 2 * time.Second}, "s3_eu-central-1": {0, 0}} {
		messages, age := in.backlog(pool, now)
		require.Equal(t, want.messages, messages, pool)
		require.Equal(t, want.age, age, pool)
	}
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

// TestBurstBehindAFewMessages has few messages wait in an intake with a window of one, when a burst
// of their host arrives, and then a message of another host. The intake receives the burst, because
// it has waited in SQS for long, and finds that message.
func TestBurstBehindAFewMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const flight = 50 * time.Millisecond
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
					<-time.After(time.Millisecond)
					var batch []*message
					for len(batch) < n && len(waiting) > 0 {
						batch = append(batch, <-waiting)
					}
					in.add(n, batch)
				}
			}()
		}
		found := make(chan time.Time, 1)
		go func() {
			for m := in.next(); m != nil; m = in.next() {
				if m.host == "b" {
					found <- time.Now()
				}
				time.AfterFunc(flight, func() { in.drop(m); in.land(m) })
			}
		}()
		send("a", 14)
		<-time.After(5 * flight)
		in.mu.Lock()
		require.LessOrEqual(t, in.waiting, ahead, "control: most messages wait in SQS")
		in.mu.Unlock()
		start := time.Now()
		send("a", 1000)
		send("b", 1)
		took := (<-found).Sub(start)
		in.close()
		<-time.After(time.Second) // The receivers and the last flights end.
		require.Less(t, took, 10*time.Second, "the burst takes "+strconv.Itoa(1000*int(flight/time.Millisecond))+" ms")
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
