package sqs

import "strings"

// receiptInput is the part of a request that names a received message.
type receiptInput struct {
	ReceiptHandle string
}

// messageByReceipt returns the message with the receipt handle. It returns nil if the queue no
// longer holds the message, or if the message was received again.
func (q *queue) messageByReceipt(handle string) (*message, error) {
	id, _, ok := strings.Cut(handle, ".")
	if !ok {
		return nil, errorf("ReceiptHandleIsInvalid",
			"The input receipt handle %q is not a valid receipt handle.", handle)
	}
	if m := q.byID[id]; m != nil && m.Receipt == handle {
		return m, nil
	}
	return nil, nil
}
