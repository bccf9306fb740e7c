package queue

// SetLongPoll changes how long a receive waits for messages, in seconds.
func (q *Queue) SetLongPoll(seconds int32) { q.longPoll = seconds }
