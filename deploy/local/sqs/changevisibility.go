package sqs

import "time"

// visibilityChange sets a message's visibility timeout, counted from now.
type visibilityChange struct {
	receiptInput
	VisibilityTimeout *int // In seconds
}

type visibilityInput struct {
	queueInput
	visibilityChange
}

func (s *Server) changeMessageVisibility(_ string, in visibilityInput) (any, error) {
	q, err := s.queueByURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	return emptyOutput{}, s.changeVisibility(q, in.visibilityChange)
}

func (s *Server) changeVisibility(q *queue, in visibilityChange) error {
	seconds, err := parameterInRange("VisibilityTimeout", in.VisibilityTimeout, 0, 43_200, 0)
	if err != nil {
		return err
	}
	m, err := q.messageByReceipt(in.ReceiptHandle)
	if err != nil {
		return err
	}
	if m == nil {
		return errorf("InvalidParameterValue",
			"Value %s for parameter ReceiptHandle is invalid. "+
				"Reason: Message does not exist or is not available for visibility timeout change.", in.ReceiptHandle)
	}
	now := s.clock.Now()
	if !m.VisibleAt.After(now) {
		return errorf("MessageNotInflight", "The message referred to isn't in flight.")
	}
	q.setVisibleAt(m, now.Add(time.Duration(seconds)*time.Second))
	s.dirty = true
	return nil
}
