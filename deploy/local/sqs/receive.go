package sqs

import (
	"cmp"
	"context"
	"maps"
	"strconv"
	"time"
)

type receiveInput struct {
	queueInput
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	MessageAttributeNames       []string
	MessageSystemAttributeNames []string
	AttributeNames              []string // The older name of MessageSystemAttributeNames
}

type receivedMessage struct {
	MessageID              string `json:"MessageId"`
	ReceiptHandle          string
	Body                   string
	MD5OfBody              string
	Attributes             map[string]string         `json:",omitempty"`
	MessageAttributes      map[string]attributeValue `json:",omitempty"`
	MD5OfMessageAttributes string                    `json:",omitempty"`
}

type receiveOutput struct {
	Messages []receivedMessage `json:",omitempty"`
}

// receiveMessage releases s.mu while a long poll waits. If the client hangs up during the wait, no
// message is received.
func (s *Server) receiveMessage(ctx context.Context, _ string, in receiveInput) (any, error) {
	limit, err := parameterInRange("MaxNumberOfMessages", in.MaxNumberOfMessages, 1, 10, 1)
	if err != nil {
		return nil, err
	}
	var deadline time.Time
	for first := true; ; first = false {
		s.mu.Lock()
		q, err := s.queueByURL(in.QueueURL)
		if err != nil {
			s.mu.Unlock()
			return nil, err
		}
		wait, err1 := parameterInRange("WaitTimeSeconds", in.WaitTimeSeconds,
			0, 20, q.settings.number("ReceiveMessageWaitTimeSeconds"))
		hide, err2 := parameterInRange("VisibilityTimeout", in.VisibilityTimeout,
			0, 43_200, q.settings.number("VisibilityTimeout"))
		if err := cmp.Or(err1, err2); err != nil {
			s.mu.Unlock()
			return nil, err
		}
		now := s.clock.Now()
		if first {
			deadline = now.Add(time.Duration(wait) * time.Second)
		}
		out := s.receive(q, now, limit, time.Duration(hide)*time.Second, in)
		wake, changed := deadline, q.changed
		if len(q.order) > 0 && q.order[0].VisibleAt.Before(wake) {
			wake = q.order[0].VisibleAt
		}
		s.mu.Unlock()
		if len(out.Messages) > 0 || !now.Before(deadline) || !s.awaitChange(ctx, changed, wake.Sub(now)) {
			return out, nil
		}
	}
}

// awaitChange waits until the queue changes or d has passed. It returns false if the client hangs
// up or the server closes.
func (s *Server) awaitChange(ctx context.Context, changed <-chan struct{}, d time.Duration) bool {
	timer := s.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-changed:
		return ctx.Err() == nil
	case <-timer.Chan():
		return true
	case <-ctx.Done():
		return false
	case <-s.closing:
		return false
	}
}

// receive receives messages from q. The caller holds s.mu.
func (s *Server) receive(q *queue, now time.Time, limit int, hide time.Duration, in receiveInput) receiveOutput {
	out := receiveOutput{}
	for _, m := range q.receive(now, limit, hide, func(m *message) { s.deadLetter(q, m) }) {
		out.Messages = append(out.Messages, m.output(in))
	}
	s.dirty = s.dirty || len(out.Messages) > 0
	return out
}

// deadLetter moves a message to the dead-letter queue of its queue. As in a standard queue of the
// real service, the message keeps its id and its sent time. Its receive count restarts at zero.
func (s *Server) deadLetter(from *queue, m *message) {
	s.dirty = true
	dead := s.queueByARN(from.redrive.Target)
	if dead == nil {
		return // The queue was deleted: the real service drops the message too
	}
	m.Source = s.arn(from.name)
	s.requeue(dead, m)
}

// requeue adds a message to q as if no client had received it yet.
func (s *Server) requeue(q *queue, m *message) {
	m.Receives, m.Receipt, m.FirstReceived = 0, "", time.Time{}
	m.VisibleAt = s.clock.Now()
	q.add(m)
}

func (m *message) output(in receiveInput) receivedMessage {
	system := map[string]string{
		"SenderId":                         accountID,
		"SentTimestamp":                    millis(m.Sent),
		"ApproximateReceiveCount":          strconv.Itoa(m.Receives),
		"ApproximateFirstReceiveTimestamp": millis(m.FirstReceived),
	}
	if m.TraceHeader != "" {
		system["AWSTraceHeader"] = m.TraceHeader
	}
	if m.Group != "" {
		system["MessageGroupId"] = m.Group
	}
	if m.Source != "" {
		system["DeadLetterQueueSourceArn"] = m.Source
	}
	maps.DeleteFunc(system, func(name, _ string) bool {
		return !selects(in.MessageSystemAttributeNames, name) && !selects(in.AttributeNames, name)
	})
	attributes := maps.Clone(m.Attributes)
	maps.DeleteFunc(attributes, func(name string, _ attributeValue) bool {
		return !selects(in.MessageAttributeNames, name)
	})
	return receivedMessage{
		MessageID: m.ID, ReceiptHandle: m.Receipt, Body: m.Body, MD5OfBody: bodyMD5(m.Body),
		Attributes: system, MessageAttributes: attributes, MD5OfMessageAttributes: attributesMD5(attributes),
	}
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// parameterInRange returns *value, or initial if value is nil. It fails if *value is out of range.
func parameterInRange(name string, value *int, low, high, initial int) (int, error) {
	if value == nil {
		return initial, nil
	}
	if *value < low || *value > high {
		return 0, errorf("InvalidParameterValue",
			"Value %d for parameter %s is invalid. Reason: Must be >= %d and <= %d.", *value, name, low, high)
	}
	return *value, nil
}
