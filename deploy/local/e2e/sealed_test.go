package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// otherKey is a query key that no front end has.
const otherKey = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

// receive returns a message about the object of a source, which stays in the queue.
func receive(t *testing.T, queue string, s *source) types.Message {
	t.Helper()
	c := newQueues()
	var found types.Message
	eventually(t, func() bool {
		out, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: queueURL(t, c, queue), MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
		})
		require.NoError(t, err)
		for _, m := range out.Messages {
			_, err := c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{
				QueueUrl: queueURL(t, c, queue), ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0,
			})
			require.NoError(t, err)
			if strings.Contains(aws.ToString(m.Body), s.Listener.Addr().String()) { // Not one of another test
				require.NotContains(t, aws.ToString(m.Body), secret)
				found = m
			}
		}
		return found.Body != nil
	}, "a message names the host")
	return found
}

// TestPlantedSecretIsNowhere plants a secret in the query of a URL. Its messages wait for a bridge,
// become dead letters because the bridge lacks the key, and are redriven. The control is the host
// of the URL, or its hash, which everything shows.
func TestPlantedSecretIsNowhere(t *testing.T) {
	for _, w := range workers() {
		pause(t, w)
	}
	s := newSource(t, 1000, nil)
	object := s.object()
	ask(t, west, object, "?max_wait=0")
	m := receive(t, "cloud-mirror", s)
	require.Contains(t, aws.ToString(m.Body), `"version":2`)
	require.Contains(t, aws.ToString(m.Body), hashOf(object))

	bridge := startProcess(t, "other-key-bridge", sys.Binary(), strings.Fields("worker --no-copy --config "+sys.ConfigPath()),
		"CLOUD_MIRROR_SOURCE_QUERY_KEYS="+otherKey)
	dead := receive(t, "cloud-mirror_dead", s)
	require.Equal(t, aws.ToString(m.Body), aws.ToString(dead.Body), "unchanged, so that a redrive works")
	require.Contains(t, aws.ToString(dead.MessageAttributes["reason"].StringValue), "source.query_keys")
	require.Zero(t, s.count("GET"))
	bridge.terminate(t)

	// The operator gives the bridge the front ends' keys, and redrives.
	for _, w := range workers() {
		require.NoError(t, sys.Resume(w))
	}
	c := newQueues()
	arn := func(queue string) *string {
		out, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
			QueueUrl: queueURL(t, c, queue), AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameQueueArn},
		})
		require.NoError(t, err)
		return aws.String(out.Attributes["QueueArn"])
	}
	// Without a destination SQS moves only the dead letters that it made itself.
	_, err := c.StartMessageMoveTask(t.Context(), &sqs.StartMessageMoveTaskInput{
		SourceArn: arn("cloud-mirror_dead"), DestinationArn: arn("cloud-mirror"),
	})
	require.NoError(t, err)
	w := waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	requireCopy(t, s, west, ask(t, west, object, ""))
	require.Equal(t, 1, s.count("GET"))

	require.Contains(t, fmt.Sprint(events(t, w)), s.Listener.Addr().String(), "a control; events inspects histories")
	hash := hashOf(object)
	r := redis.NewClient(&redis.Options{Addr: sys.RedisAddr()})
	defer r.Close()
	seen := 0
	for keys := r.Scan(t.Context(), 0, "*", 1000).Iterator(); keys.Next(t.Context()); {
		value, err := r.Do(t.Context(), "DUMP", keys.Val()).Text()
		require.NoError(t, err)
		require.NotContains(t, keys.Val()+value, secret)
		if keys.Val() == redisKey(west, object) {
			seen++
		}
	}
	require.Equal(t, 1, seen, "a control")
	for _, p := range append(workers(), "frontend-1", "frontend-2") {
		require.Positive(t, metric(t, "go_goroutines", p), "a control; metricAt inspects all metrics")
	}
	logs, err := filepath.Glob(filepath.Join(sys.LogDir(), "*.log"))
	require.NoError(t, err)
	seen = 0
	for _, name := range logs {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NotContains(t, string(text), secret, name)
		seen += bytes.Count(text, []byte(hash))
	}
	require.Positive(t, seen, "a control")
}
