package sqs_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/sqs"
)

// TestMessageGroups sends messages with groups to a standard queue.
func TestMessageGroups(t *testing.T) {
	for name, tc := range map[string]struct {
		group    *string
		accepted bool
	}{
		"none":              {nil, true},
		"letters":           {aws.String("0a-low"), true},
		"punctuation":       {aws.String("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"), true},
		"128 characters":    {aws.String(strings.Repeat("x", 128)), true},
		"129 characters":    {aws.String(strings.Repeat("x", 129)), false},
		"empty":             {aws.String(""), false},
		"a space":           {aws.String("a b"), false},
		"another character": {aws.String("ä"), false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, "")
			url := f.queue("q", nil)
			_, err := f.SendMessage(f.ctx, &client.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("x"), MessageGroupId: tc.group})
			if !tc.accepted {
				if err == nil || !strings.Contains(err.Error(), "InvalidParameterValue") {
					t.Errorf("error is %v, want InvalidParameterValue", err)
				}
				f.expectEmpty(url)
				return
			}
			must(t, err)
			if got := f.receiveOne(url).Attributes["MessageGroupId"]; got != aws.ToString(tc.group) {
				t.Errorf("group is %q, want %q", got, aws.ToString(tc.group))
			}
		})
	}
}
