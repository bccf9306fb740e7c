package queue

import (
	"strings"
	"testing"
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
