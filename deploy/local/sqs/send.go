package sqs

import (
	"crypto/md5"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// outgoing is a message as SendMessage and the entries of SendMessageBatch give it.
type outgoing struct {
	MessageBody             string
	DelaySeconds            *int
	MessageAttributes       map[string]attributeValue
	MessageSystemAttributes map[string]attributeValue
}

type sent struct {
	MessageID              string `json:"MessageId"`
	MD5OfMessageBody       string
	MD5OfMessageAttributes string `json:",omitempty"`
}

type sendInput struct {
	onQueue
	outgoing
}

func (s *Server) sendMessage(_ string, in sendInput) (any, error) {
	q, err := s.find(in.QueueURL)
	if err != nil {
		return nil, err
	}
	return s.send(q, in.outgoing)
}

func (s *Server) send(q *queue, out outgoing) (sent, error) {
	if err := out.check(q); err != nil {
		return sent{}, err
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
		Sent:        now, VisibleAt: now.Add(delay), Sequence: s.sequence,
	}
	q.add(m)
	s.dirty = true
	return sent{MessageID: m.ID, MD5OfMessageBody: bodyMD5(m.Body), MD5OfMessageAttributes: attributesMD5(m.Attributes)}, nil
}

func (o outgoing) check(q *queue) error {
	if o.MessageBody == "" {
		return failf("MissingParameter", "The request must contain the parameter MessageBody.")
	}
	if !utf8.ValidString(o.MessageBody) || strings.ContainsFunc(o.MessageBody, forbidden) {
		return failf("InvalidMessageContents", "Message contains characters outside the allowed set")
	}
	if o.DelaySeconds != nil && (*o.DelaySeconds < 0 || *o.DelaySeconds > 900) {
		return failf("InvalidParameterValue", "Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", *o.DelaySeconds)
	}
	size := len(o.MessageBody)
	for name, value := range o.MessageAttributes {
		if err := value.check(name); err != nil {
			return err
		}
		size += len(name) + value.size()
	}
	if largest := q.settings.number("MaximumMessageSize"); size > largest {
		return failf("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", largest)
	}
	return nil
}

// forbidden are the characters that the service refuses: those that XML 1.0 can't hold.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func forbidden(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r':
		return false
	case r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000:
		return false
	}
	return true
}

// bodyMD5 is what SDKs compare with their own sum of the body.
func bodyMD5(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}
