package queue

import "time"

// SetLongPoll changes how long a receive waits for messages, in whole seconds.
func (q *Queue) SetLongPoll(d time.Duration) { q.longPoll = d }
