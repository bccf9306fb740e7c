package sqs

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"time"
)

type receiveInput struct {
	onQueue
	MaxNumberOfMessages         *int
	VisibilityTimeout           *int
	WaitTimeSeconds             *int
	MessageAttributeNames       []string
	MessageSystemAttributeNames []string
	AttributeNames              []string // the older name of MessageSystemAttributeNames
}

type received struct {
	MessageID              string `json:"MessageId"`
	ReceiptHandle          string
	Body                   string
	MD5OfBody              string
	Attributes             map[string]string         `json:",omitempty"`
	MessageAttributes      map[string]attributeValue `json:",omitempty"`
	MD5OfMessageAttributes string                    `json:",omitempty"`
}

type receiveOutput struct {
	Messages []received `json:",omitempty"`
}

// receiveMessage waits, if it has to and is asked to, with the state unlocked. A client that hangs up while it waits
// takes no message with it.
func (s *Server) receiveMessage(ctx context.Context, _ string, in receiveInput) (any, error) {
	limit, err := within("MaxNumberOfMessages", in.MaxNumberOfMessages, 1, 10, 1)
	if err != nil {
		return nil, err
	}
	var deadline time.Time
	for first := true; ; first = false {
		s.mu.Lock()
		q, err := s.find(in.QueueURL)
		if err != nil {
			s.mu.Unlock()
			return nil, err
		}
		wait, err1 := within("WaitTimeSeconds", in.WaitTimeSeconds, 0, 20, q.settings.number("ReceiveMessageWaitTimeSeconds"))
		hide, err2 := within("VisibilityTimeout", in.VisibilityTimeout, 0, 43_200, q.settings.number("VisibilityTimeout"))
		if err := firstOf(err1, err2); err != nil {
			s.mu.Unlock()
			return nil, err
		}
		now := s.clock.Now()
		if first {
			deadline = now.Add(time.Duration(wait) * time.Second)
		}
		out := s.take(q, now, limit, time.Duration(hide)*time.Second, in)
		wake, changed := deadline, q.changed
		if len(q.order) > 0 && q.order[0].VisibleAt.Before(wake) {
			wake = q.order[0].VisibleAt
		}
		s.mu.Unlock()
		if len(out.Messages) > 0 || !now.Before(deadline) || !s.wait(ctx, changed, wake.Sub(now)) {
			return out, nil
		}
	}
}

// wait is over when the queue changed or the time is up; it is false when there is nobody to answer any more.
func (s *Server) wait(ctx context.Context, changed <-chan struct{}, d time.Duration) bool {
	timer := s.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-changed:
		return true
	case <-timer.Chan():
		return true
	case <-ctx.Done():
		return false
	case <-s.closing:
		return false
	}
}

// take receives from a queue, with the state locked.
func (s *Server) take(q *queue, now time.Time, limit int, hide time.Duration, in receiveInput) receiveOutput {
	out := receiveOutput{}
	for _, m := range q.take(now, limit, hide, func(m *message) { s.bury(q, m) }) {
		out.Messages = append(out.Messages, m.received(in))
	}
	s.dirty = s.dirty || len(out.Messages) > 0
	return out
}

// bury moves a message to the dead-letter queue. It keeps its id and the time when it was sent, as in a standard queue
// of the real service, and is counted as new.
func (s *Server) bury(from *queue, m *message) {
	s.dirty = true
	dead := s.byARN(from.redrive.Target)
	if dead == nil {
		return // deleted since: the real service drops the message as well
	}
	m.Source = s.arn(from.name)
	s.moveTo(dead, m)
}

func (s *Server) moveTo(q *queue, m *message) {
	m.Receives, m.Receipt, m.FirstReceived = 0, "", time.Time{}
	m.VisibleAt = s.clock.Now()
	q.add(m)
}

func (m *message) received(in receiveInput) received {
	system := map[string]string{
		"SenderId":                         AccountID,
		"SentTimestamp":                    millis(m.Sent),
		"ApproximateReceiveCount":          strconv.Itoa(m.Receives),
		"ApproximateFirstReceiveTimestamp": millis(m.FirstReceived),
	}
	if m.TraceHeader != "" {
		system["AWSTraceHeader"] = m.TraceHeader
	}
	if m.Source != "" {
		system["DeadLetterQueueSourceArn"] = m.Source
	}
	maps.DeleteFunc(system, func(name, _ string) bool {
		return !selects(in.MessageSystemAttributeNames, name) && !selects(in.AttributeNames, name)
	})
	attributes := maps.Clone(m.Attributes)
	maps.DeleteFunc(attributes, func(name string, _ attributeValue) bool { return !selects(in.MessageAttributeNames, name) })
	return received{
		MessageID: m.ID, ReceiptHandle: m.Receipt, Body: m.Body, MD5OfBody: bodyMD5(m.Body),
		Attributes: system, MessageAttributes: attributes, MD5OfMessageAttributes: attributesMD5(attributes),
	}
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// within is a parameter, or its default, checked against its range.
func within(name string, value *int, low, high, initial int) (int, error) {
	if value == nil {
		return initial, nil
	}
	if *value < low || *value > high {
		return 0, failf("InvalidParameterValue", "Value %d for parameter %s is invalid. Reason: Must be >= %d and <= %d.", *value, name, low, high)
	}
	return *value, nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// receiptInput is the part of a request that names a received message.
type receiptInput struct {
	ReceiptHandle string
}

// byReceipt is the message of a receipt handle; nil if it is gone, or was received again since.
func (q *queue) byReceipt(handle string) (*message, error) {
	id, _, ok := strings.Cut(handle, ".")
	if !ok {
		return nil, failf("ReceiptHandleIsInvalid", "The input receipt handle %q is not a valid receipt handle.", handle)
	}
	if m := q.byID[id]; m != nil && m.Receipt == handle {
		return m, nil
	}
	return nil, nil
}
