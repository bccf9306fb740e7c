package queue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Limits of a dead letter, in bytes. A body, the names, types and values of its attributes together
// may have 1 MiB:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
// A queue may set a lower limit. The largest message of a front end has a few KiB.
const (
	maxDeadBody   = 64 << 10
	maxDeadReason = 1 << 10
)

// Attributes of a dead letter. The last two describe the original body, and only a dead letter with
// another body has them.
const (
	reasonAttribute = "reason"
	lengthAttribute = "originalLength" // in bytes
	sumAttribute    = "originalSHA256" // in hex
)

// deadLetter moves the message to the dead-letter queue, with its body unless SQS would refuse it.
// The message's own attributes are lost: they are not received. It returns false if the message
// stays in the queue.
func (r *Receiver) deadLetter(ctx context.Context, m *message, reason string) (done bool) {
	ctx, cancel := r.finish(ctx)
	defer cancel()
	body := aws.ToString(m.Body)
	buried := acceptable(body, maxDeadBody)
	attributes := map[string]types.MessageAttributeValue{
		reasonAttribute: {DataType: aws.String("String"), StringValue: aws.String(acceptable(reason, maxDeadReason))},
	}
	if buried != body {
		sum := sha256.Sum256([]byte(body))
		attributes[lengthAttribute] = types.MessageAttributeValue{
			DataType: aws.String("Number"), StringValue: aws.String(strconv.Itoa(len(body))),
		}
		attributes[sumAttribute] = types.MessageAttributeValue{
			DataType: aws.String("String"), StringValue: aws.String(hex.EncodeToString(sum[:])),
		}
	}
	if err := r.Queue.send(ctx, r.Queue.name+deadSuffix, &sqs.SendMessageInput{MessageBody: &buried, MessageAttributes: attributes}); err != nil {
		r.Report(Failed, m.request, err)
		return false
	}
	err := r.delete(ctx, m)
	if err != nil {
		r.Report("", m.request, err)
	}
	r.Report(Dead, m.request, errors.New(reason))
	return err == nil
}

// acceptable returns the text in a form that SQS accepts: cut to limit bytes, not empty, and with
// U+FFFD in place of characters that SQS refuses.
func acceptable(text string, limit int) string {
	if len(text) > limit {
		for limit > 0 && !utf8.RuneStart(text[limit]) {
			limit--
		}
		text = text[:limit]
	}
	valid := strings.Map(func(c rune) rune {
		if !accepted(c) {
			return utf8.RuneError
		}
		return c
	}, text)
	if len(valid) > limit { // U+FFFD is longer than the byte that it replaces.
		return acceptable(valid, limit)
	}
	if valid == "" {
		return string(utf8.RuneError)
	}
	return valid
}

// accepted reports whether SQS accepts the character:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func accepted(c rune) bool {
	return c == '\t' || c == '\n' || c == '\r' || c >= 0x20 && c <= 0xD7FF || c >= 0xE000 && c <= 0xFFFD || c >= 0x10000
}
