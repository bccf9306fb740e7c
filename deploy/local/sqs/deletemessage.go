package sqs

type deleteInput struct {
	queueInput
	receiptInput
}

func (s *Server) deleteMessage(_ string, in deleteInput) (any, error) {
	q, err := s.queueByURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	return emptyOutput{}, s.delete(q, in.receiptInput)
}

// delete does nothing, and succeeds, if the message no longer exists or was received again. The
// service documents this:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
func (s *Server) delete(q *queue, in receiptInput) error {
	m, err := q.messageByReceipt(in.ReceiptHandle)
	if err != nil || m == nil {
		return err
	}
	q.remove(m)
	s.dirty = true
	return nil
}
