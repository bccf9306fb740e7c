package sqs

import (
	"time"
)

type deleteInput struct {
	onQueue
	receiptInput
}

func (s *Server) deleteMessage(_ string, in deleteInput) (any, error) {
	q, err := s.find(in.QueueURL)
	if err != nil {
		return nil, err
	}
	return empty{}, s.delete(q, in.receiptInput)
}

// delete succeeds without an effect for a message that is gone or was received again since, as the service documents:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
func (s *Server) delete(q *queue, in receiptInput) error {
	m, err := q.byReceipt(in.ReceiptHandle)
	if err != nil || m == nil {
		return err
	}
	q.remove(m)
	s.dirty = true
	return nil
}

// visibility is a change of a message's visibility, counted from now.
type visibility struct {
	receiptInput
	VisibilityTimeout *int
}

type visibilityInput struct {
	onQueue
	visibility
}

func (s *Server) changeMessageVisibility(_ string, in visibilityInput) (any, error) {
	q, err := s.find(in.QueueURL)
	if err != nil {
		return nil, err
	}
	return empty{}, s.changeVisibility(q, in.visibility)
}

func (s *Server) changeVisibility(q *queue, in visibility) error {
	seconds, err := within("VisibilityTimeout", in.VisibilityTimeout, 0, 43_200, 0)
	if err != nil {
		return err
	}
	m, err := q.byReceipt(in.ReceiptHandle)
	if err != nil {
		return err
	}
	if m == nil {
		return failf("InvalidParameterValue", "Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", in.ReceiptHandle)
	}
	now := s.clock.Now()
	if !m.VisibleAt.After(now) {
		return failf("MessageNotInflight", "The message referred to isn't in flight.")
	}
	q.show(m, now.Add(time.Duration(seconds)*time.Second))
	s.dirty = true
	return nil
}
