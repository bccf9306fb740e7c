package sqs

import (
	"crypto/md5"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// messageInput is the message in SendMessage, and in each entry of SendMessageBatch.
type messageInput struct {
	MessageBody             string
	DelaySeconds            *int
	MessageGroupID          *string `json:"MessageGroupId"`
	MessageAttributes       map[string]attributeValue
	MessageSystemAttributes map[string]attributeValue
}

type sendOutput struct {
	MessageID              string `json:"MessageId"`
	MD5OfMessageBody       string
	MD5OfMessageAttributes string `json:",omitempty"`
}

type sendInput struct {
	queueInput
	messageInput
}

func (s *Server) sendMessage(_ string, in sendInput) (any, error) {
	q, err := s.queueByURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	return s.send(q, in.messageInput)
}

func (s *Server) send(q *queue, out messageInput) (sendOutput, error) {
	if err := out.check(q); err != nil {
		return sendOutput{}, err
	}
	delay := q.settings.seconds("DelaySeconds")
	if out.DelaySeconds != nil {
		delay = time.Duration(*out.DelaySeconds) * time.Second
	}
	now := s.clock.Now()
	s.sequence++
	m := &message{
		ID: uuid.NewString(), Body: out.MessageBody, Attributes: out.MessageAttributes,
		TraceHeader: out.MessageSystemAttributes["AWSTraceHeader"].text(),
		Group:       out.group(), Sent: now, VisibleAt: now.Add(delay), Sequence: s.sequence,
	}
	if err := s.journal.add(q.name, m); err != nil {
		return sendOutput{}, err
	}
	q.add(m)
	s.dirty = true
	s.onSend(q.name, m.Body)
	return sendOutput{
		MessageID: m.ID, MD5OfMessageBody: bodyMD5(m.Body), MD5OfMessageAttributes: attributesMD5(m.Attributes),
	}, nil
}

func (o messageInput) check(q *queue) error {
	if o.MessageBody == "" {
		return errorf("MissingParameter", "The request must contain the parameter MessageBody.")
	}
	if !utf8.ValidString(o.MessageBody) || strings.ContainsFunc(o.MessageBody, isForbidden) {
		return errorf("InvalidMessageContents", "Message contains characters outside the allowed set")
	}
	if o.DelaySeconds != nil && (*o.DelaySeconds < 0 || *o.DelaySeconds > 900) {
		return errorf("InvalidParameterValue",
			"Value %d for parameter DelaySeconds is invalid. "+
				"Reason: DelaySeconds must be >= 0 and <= 900.", *o.DelaySeconds)
	}
	if o.MessageGroupID != nil && !wellFormedGroup(*o.MessageGroupID) {
		return errorf("InvalidParameterValue",
			"The parameter MessageGroupId is invalid. Reason: it must have 1 to 128 alphanumeric and punctuation characters.")
	}
	size := len(o.MessageBody)
	for name, value := range o.MessageAttributes {
		if err := value.check(name); err != nil {
			return err
		}
		size += len(name) + value.size()
	}
	if largest := q.settings.number("MaximumMessageSize"); size > largest {
		return errorf("InvalidParameterValue",
			"One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", largest)
	}
	return nil
}

func (o messageInput) group() string {
	if o.MessageGroupID == nil {
		return ""
	}
	return *o.MessageGroupID
}

// wellFormedGroup reports whether the service accepts a group:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
func wellFormedGroup(id string) bool {
	return id != "" && len(id) <= 128 && !strings.ContainsFunc(id, func(r rune) bool { return r <= 0x20 || r >= 0x7F })
}

// isForbidden reports whether the service refuses the character, because XML 1.0 can't hold it:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func isForbidden(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r':
		return false
	case r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000:
		return false
	}
	return true
}

// bodyMD5 returns the checksum that SDKs compare with their own.
func bodyMD5(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}
