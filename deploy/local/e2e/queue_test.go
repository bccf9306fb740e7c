package e2e

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/require"
)

// newQueues returns a client of the stack's queues.
func newQueues() *sqs.Client {
	return sqs.New(sqs.Options{
		Region: west, BaseEndpoint: aws.String(sys.SQSEndpoint()),
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
}

func queueURL(t *testing.T, c *sqs.Client, name string) *string {
	t.Helper()
	out, err := c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &name})
	require.NoError(t, err)
	return out.QueueUrl
}

// sendMessage sends a message to the bridge, as a front end does.
func sendMessage(t *testing.T, body string) {
	t.Helper()
	sys.journal.Handwritten(body)
	c := newQueues()
	_, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: queueURL(t, c, "cloud-mirror"), MessageBody: &body})
	require.NoError(t, err)
}
