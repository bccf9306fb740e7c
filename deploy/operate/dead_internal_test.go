package operate

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

const secret = "SECRET"

// bodies are dead letters of a test, by name.
func bodies() map[string]string {
	return map[string]string{
		"put":     `{"version":1,"data":{"id":"s3_us-west-2","url":"https://example.com/a.zip?token=` + secret + `","action":"put"}}`,
		"purge":   `{"version":1,"data":{"id":"s3_us-west-2","url":"https://example.com/b.zip","action":"purge"}}`,
		"control": `{"version":1,"data":{"id":"s3_\u001b[31m","url":"https://example.com/\tc.zip","action":"put"}}`,
		"junk":    "junk " + secret,
	}
}

// newLetters buries all bodies, with their names as the reasons, and takes them. The reason of
// purge is empty, as of a letter that SQS moved itself.
func newLetters(t *testing.T) (l *letters, ids map[string]string) {
	t.Helper()
	endpoint := os.Getenv("CM_TEST_SQS_ENDPOINT")
	require.NotEmpty(t, endpoint, "this test needs an SQS endpoint: run `make test`, or set CM_TEST_SQS_ENDPOINT")
	cfg, err := awsconfig.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	name := "letters-" + rand.Text()
	l = &letters{Queue: queue.Open(cfg, "us-west-2", endpoint, name, 10*time.Second)}
	_, err = l.Setup(t.Context(), 5*time.Second, 3, false)
	require.NoError(t, err)
	client := sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.BaseEndpoint = &endpoint })
	url, err := client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(name + "_dead")})
	require.NoError(t, err)
	ids = map[string]string{}
	for name, body := range bodies() {
		in := &sqs.SendMessageInput{QueueUrl: url.QueueUrl, MessageBody: &body}
		if name != "purge" {
			in.MessageAttributes = map[string]types.MessageAttributeValue{
				"reason": {DataType: aws.String("String"), StringValue: aws.String("reason of " + name)},
			}
		}
		out, err := client.SendMessage(t.Context(), in)
		require.NoError(t, err)
		ids[name] = *out.MessageId
	}
	l.take(t)
	require.Len(t, l.all, len(ids))
	return l, ids
}

func (l *letters) take(t *testing.T) {
	t.Helper()
	var err error
	l.all, err = l.TakeDead(t.Context(), 100)
	require.NoError(t, err)
}

func TestListOfDeadLetters(t *testing.T) {
	l, ids := newLetters(t)
	var out bytes.Buffer
	require.NoError(t, (&DeadListCommand{}).write(&out, l.all))
	for name, want := range map[string]string{
		"put":     `s3_us-west-2  put     https://example.com/a.zip  reason of put`,
		"purge":   `s3_us-west-2  purge   https://example.com/b.zip  handled sqs.max_receives times without success`,
		"control": "s3_\uFFFD[31m     put     https://example.com/\uFFFDc.zip  reason of control",
		"junk":    `reason of junk`,
	} {
		line := regexp.MustCompile(`(?m)^` + ids[name] + `  \S+Z +(.*)$`).FindStringSubmatch(out.String())
		require.NotNil(t, line, out.String())
		require.Equal(t, strings.Fields(want), strings.Fields(line[1]))
	}
	require.NotContains(t, out.String(), secret)

	out.Reset()
	require.NoError(t, (&DeadListCommand{JSON: true}).write(&out, l.all))
	require.NotContains(t, out.String(), secret)
	lines := json.NewDecoder(&out)
	for range ids {
		var s shown
		require.NoError(t, lines.Decode(&s))
		require.NotEmpty(t, s.ID)
	}

	out.Reset()
	require.NoError(t, (&DeadListCommand{}).write(&out, nil))
	require.Equal(t, "no dead letters\n", out.String())
}

func TestShownDeadLetter(t *testing.T) {
	l, ids := newLetters(t)
	for name := range ids {
		var out bytes.Buffer
		c := DeadShowCommand{ID: ids[name]}
		require.NoError(t, c.write(&out, l.all))
		require.NotContains(t, out.String(), secret)
		require.NotContains(t, out.String(), "\x1b")
		require.Contains(t, out.String(), strconv.Itoa(len(bodies()[name]))+" bytes")
		if name == "junk" {
			require.Regexp(t, `no request +not JSON`, out.String())
		}
		out.Reset()
		c.Raw = true
		require.NoError(t, c.write(&out, l.all))
		require.Equal(t, bodies()[name]+"\n", out.String())
	}
	require.EqualError(t, (&DeadShowCommand{ID: "none"}).write(&bytes.Buffer{}, l.all), `no dead letter has the id "none" among 4`)
}

func TestRedrive(t *testing.T) {
	for name, tc := range map[string]struct {
		c        DeadRedriveCommand
		ids      []string // Names, besides those of c
		redriven []string
		want     string // The last line
		err      string
	}{
		"all":                {DeadRedriveCommand{All: true}, nil, []string{"put", "purge", "control"}, "3 redriven, 1 stay because they are no copy requests, 0 failed, of 4 read", ""},
		"all, a dry run":     {DeadRedriveCommand{All: true, DryRun: true}, nil, nil, "3 would be redriven, 1 stay because they are no copy requests, 0 failed, of 4 read", ""},
		"by reason":          {DeadRedriveCommand{Reason: "of put"}, nil, []string{"put"}, "1 redriven, 0 stay because they are no copy requests, 0 failed, of 4 read", ""},
		"by the lack of one": {DeadRedriveCommand{Reason: "max_receives"}, nil, []string{"purge"}, "1 redriven, 0 stay because they are no copy requests, 0 failed, of 4 read", ""},
		"by id":              {DeadRedriveCommand{}, []string{"purge", "put"}, []string{"purge", "put"}, "2 redriven, 0 stay because they are no copy requests, 0 failed, of 4 read", ""},
		"junk by id":         {DeadRedriveCommand{}, []string{"junk"}, nil, "0 redriven, 1 stay because they are no copy requests, 0 failed, of 4 read", "1 letters were not redriven"},
		"an unknown id":      {DeadRedriveCommand{ID: []string{"none"}}, []string{"put"}, nil, "", `no dead letter has the id "none" among 4; nothing was redriven`},
	} {
		t.Run(name, func(t *testing.T) {
			l, ids := newLetters(t)
			for _, n := range tc.ids {
				tc.c.ID = append(tc.c.ID, ids[n])
			}
			require.NoError(t, tc.c.Validate())
			var out bytes.Buffer
			err := tc.c.redrive(t.Context(), &out, l)
			if tc.err == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tc.err)
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			require.Equal(t, tc.want, lines[len(lines)-1])
			require.NotContains(t, out.String(), secret)

			require.NoError(t, l.ReleaseDead(t.Context(), l.all))
			l.take(t)
			left := map[string]bool{}
			for _, d := range l.all {
				left[d.ID] = true
			}
			require.Len(t, left, len(ids)-len(tc.redriven))
			for _, n := range tc.redriven {
				require.False(t, left[ids[n]], n)
			}
			require.ElementsMatch(t, requestsOf(tc.redriven), received(t, l.Queue, len(tc.redriven)))
		})
	}
}

// requestsOf returns the URLs of named letters.
func requestsOf(names []string) (urls []string) {
	for _, n := range names {
		r, _ := queue.Decode(bodies()[n])
		urls = append(urls, r.URL)
	}
	return urls
}

// received returns the URLs of n requests in the queue, after it has waited a moment for others.
func received(t *testing.T, q *queue.Queue, n int) (urls []string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	got := make(chan string, 10)
	r := queue.Receiver{
		Queue: q, Receivers: 1, Intake: 10, VisibilityTimeout: time.Minute, Received: func(time.Time, error) {}, Held: func(int) {},
		Report: func(queue.Outcome, queue.Request, error) {},
		Handle: func(_ context.Context, r queue.Request) error { got <- r.URL; return nil },
	}
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	for range n {
		urls = append(urls, <-got)
	}
	<-time.After(200 * time.Millisecond)
	stop()
	<-ended
	for len(got) > 0 {
		urls = append(urls, <-got)
	}
	return urls
}

func TestLettersAreChosenInOneWay(t *testing.T) {
	for _, c := range []DeadRedriveCommand{{}, {All: true, ID: []string{"a"}}, {All: true, Reason: "a"}, {Reason: "a", ID: []string{"a"}}} {
		require.EqualError(t, c.Validate(), "choose letters by their ids, by --reason or by --all")
	}
	require.EqualError(t, (&deadFlags{Limit: 0}).with(t.Context(), nil), "--limit is 0, want at least 1")
}
