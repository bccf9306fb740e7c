package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/cloud-mirror/cloud-mirror/storage/awsbody"
)

// deadSuffix turns a queue's name into the name of its dead-letter queue.
const deadSuffix = "_dead"

// Queue is a copy-request queue and its dead-letter queue. It is safe for concurrent use.
type Queue struct {
	client *sqs.Client
	name   string
	// timeout bounds each call, besides longPoll for a receive.
	timeout  time.Duration
	longPoll time.Duration // in whole seconds

	ungrouped atomic.Bool // Set once the server has refused a group.

	mu   sync.Mutex
	urls map[string]string // by queue name
}

// Open returns the queue with the given name. An empty region means cfg's, an empty endpoint means
// AWS's. timeout bounds each call, including all attempts of the SDK. A receive also waits for
// messages. Open does no I/O.
func Open(cfg aws.Config, region, endpoint, name string, timeout time.Duration) *Queue {
	return &Queue{client: newClient(cfg, region, endpoint), name: name, timeout: timeout, longPoll: LongPoll, urls: map[string]string{}}
}

func newClient(cfg aws.Config, region, endpoint string) *sqs.Client {
	return sqs.NewFromConfig(cfg, func(o *sqs.Options) {
		if region != "" {
			o.Region = region
		}
		if endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
		}
		o.APIOptions = append(o.APIOptions, awsbody.HideWriterTo)
	})
}

// sendBackoff is the longest pause before a sender's second attempt. A client is waiting, and the
// second attempt is only for a stale connection.
const sendBackoff = 50 * time.Millisecond

// failFast limits a call to two attempts.
func failFast(o *sqs.Options) {
	o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) { r.MaxAttempts, r.MaxBackoff = 2, sendBackoff })
}

// Send enqueues a request, with the trace of ctx in its attributes. It makes two attempts at most,
// since a client is waiting, and two more without a group if the server refuses groups. The error of
// a missing queue names `cloud-mirror setup`.
func (q *Queue) Send(ctx context.Context, r Request) error {
	body, err := Encode(r)
	if err != nil {
		return err
	}
	return q.send(ctx, q.name, &sqs.SendMessageInput{
		MessageBody: &body, MessageGroupId: aws.String(group(r)), MessageAttributes: inject(ctx),
	})
}

func (q *Queue) send(ctx context.Context, name string, m *sqs.SendMessageInput) error {
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	url, err := q.url(ctx, name)
	if err != nil {
		return err
	}
	m.QueueUrl = &url
	if q.ungrouped.Load() {
		m.MessageGroupId = nil
	}
	_, err = q.client.SendMessage(ctx, m, failFast)
	if m.MessageGroupId != nil && refusesGroups(err) {
		q.ungrouped.Store(true)
		m.MessageGroupId = nil
		_, err = q.client.SendMessage(ctx, m, failFast)
	}
	if err != nil {
		return fmt.Errorf("send to queue %s: %w", name, err)
	}
	return nil
}

// url returns a queue's URL and remembers it.
func (q *Queue) url(ctx context.Context, name string) (string, error) {
	q.mu.Lock()
	url, ok := q.urls[name]
	q.mu.Unlock()
	if ok {
		return url, nil
	}
	url, err := q.resolveURL(ctx, name)
	if _, ok := errors.AsType[*types.QueueDoesNotExist](err); ok {
		return "", fmt.Errorf("queue %s does not exist: run `cloud-mirror setup`", name)
	}
	if err != nil {
		return "", err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.urls[name] = url
	return url, nil
}

func (q *Queue) resolveURL(ctx context.Context, name string) (string, error) {
	out, err := q.client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name}, failFast)
	if err != nil {
		return "", fmt.Errorf("look up queue %s: %w", name, err)
	}
	return aws.ToString(out.QueueUrl), nil
}
