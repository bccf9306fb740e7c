package sqs

import "strings"

// receiptInput is the part of a request that names a received message.
type receiptInput struct {
	ReceiptHandle string
}

// messageByReceipt is the message of a receipt handle; nil if it is gone, or was received again since.
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
