package sqs

// Peeked is a message that a queue holds, hidden or not.
type Peeked struct {
	Body string
	// Reason is the text of the attribute reason, which the bridge gives to dead letters.
	Reason string
	// Receives is how often the message was received.
	Receives int
}

// Peek returns the messages of a queue in no particular order. It neither receives nor hides them.
// A missing queue holds none.
func (s *Server) Peek(queue string) []Peeked {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[queue]
	if q == nil {
		return nil
	}
	var all []Peeked
	for _, m := range q.byID {
		reason := m.Attributes["reason"]
		all = append(all, Peeked{Body: m.Body, Reason: reason.text(), Receives: m.Receives})
	}
	return all
}
