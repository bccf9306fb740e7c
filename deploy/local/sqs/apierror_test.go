package sqs_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

func TestTypedErrors(t *testing.T) {
	f := newFixture(t, "")
	url := f.queue("q", map[string]string{"VisibilityTimeout": "10"})
	missing := url + "-missing"
	tests := []struct {
		name string
		call func() error
		want error
	}{
		{"SendMessage to a missing queue", func() error {
			_, err := f.SendMessage(f.ctx, &client.SendMessageInput{QueueUrl: &missing, MessageBody: aws.String("x")})
			return err
		}, &types.QueueDoesNotExist{}},
		{"GetQueueUrl for a missing queue", func() error {
			_, err := f.GetQueueUrl(f.ctx, &client.GetQueueUrlInput{QueueName: aws.String("missing")})
			return err
		}, &types.QueueDoesNotExist{}},
		{"CreateQueue with the same attributes", func() error {
			_, err := f.CreateQueue(f.ctx, &client.CreateQueueInput{
				QueueName: aws.String("q"), Attributes: map[string]string{"VisibilityTimeout": "10"},
			})
			return err
		}, nil},
		{"CreateQueue with other attributes", func() error {
			_, err := f.CreateQueue(f.ctx, &client.CreateQueueInput{
				QueueName: aws.String("q"), Attributes: map[string]string{"VisibilityTimeout": "11"},
			})
			return err
		}, &types.QueueNameExists{}},
		{"SetQueueAttributes with an unknown attribute", func() error {
			_, err := f.SetQueueAttributes(f.ctx, &client.SetQueueAttributesInput{
				QueueUrl: &url, Attributes: map[string]string{"Colour": "red"},
			})
			return err
		}, &types.InvalidAttributeName{}},
		{"SetQueueAttributes with a value out of range", func() error {
			_, err := f.SetQueueAttributes(f.ctx, &client.SetQueueAttributesInput{
				QueueUrl: &url, Attributes: map[string]string{"VisibilityTimeout": "43201"},
			})
			return err
		}, &types.InvalidAttributeValue{}},
		{"DeleteMessage with a malformed receipt handle", func() error {
			_, err := f.DeleteMessage(f.ctx, &client.DeleteMessageInput{
				QueueUrl: &url, ReceiptHandle: aws.String("nonsense"),
			})
			return err
		}, &types.ReceiptHandleIsInvalid{}},
		{"StartMessageMoveTask for a missing queue", func() error {
			_, err := f.StartMessageMoveTask(f.ctx, &client.StartMessageMoveTaskInput{
				SourceArn: aws.String("arn:aws:sqs:us-west-2:1:x"),
			})
			return err
		}, &types.ResourceNotFoundException{}},
		{"SendMessageBatch with a repeated id", func() error {
			entry := types.SendMessageBatchRequestEntry{Id: aws.String("a"), MessageBody: aws.String("x")}
			_, err := f.SendMessageBatch(f.ctx, &client.SendMessageBatchInput{
				QueueUrl: &url, Entries: []types.SendMessageBatchRequestEntry{entry, entry},
			})
			return err
		}, &types.BatchEntryIdsNotDistinct{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.call()
			if tt.want == nil {
				must(t, err)
				return
			}
			if got := fmt.Sprintf("%T", innermost(err)); got != fmt.Sprintf("%T", tt.want) {
				t.Errorf("error is %s (%v), want %T", got, err, tt.want)
			}
		})
	}
}

// innermost unwraps err completely.
func innermost(err error) error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}
