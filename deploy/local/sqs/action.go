package sqs

import (
	"context"
	"encoding/json"
)

// action decodes one request and performs it. The base is the server's URL as the client sees it.
type action func(ctx context.Context, base string, body []byte) (any, error)

func (s *Server) newActions() map[string]action {
	return map[string]action{
		"CreateQueue":                  locked(s, s.createQueue),
		"GetQueueUrl":                  locked(s, s.getQueueURL),
		"ListQueues":                   locked(s, s.listQueues),
		"DeleteQueue":                  locked(s, s.deleteQueue),
		"PurgeQueue":                   locked(s, s.purgeQueue),
		"GetQueueAttributes":           locked(s, s.getQueueAttributes),
		"SetQueueAttributes":           locked(s, s.setQueueAttributes),
		"ListDeadLetterSourceQueues":   locked(s, s.listDeadLetterSourceQueues),
		"TagQueue":                     locked(s, s.tagQueue),
		"UntagQueue":                   locked(s, s.untagQueue),
		"ListQueueTags":                locked(s, s.listQueueTags),
		"SendMessage":                  locked(s, s.sendMessage),
		"SendMessageBatch":             locked(s, s.sendMessageBatch),
		"ReceiveMessage":               decoded(s.receiveMessage),
		"DeleteMessage":                locked(s, s.deleteMessage),
		"DeleteMessageBatch":           locked(s, s.deleteMessageBatch),
		"ChangeMessageVisibility":      locked(s, s.changeMessageVisibility),
		"ChangeMessageVisibilityBatch": locked(s, s.changeMessageVisibilityBatch),
		"StartMessageMoveTask":         locked(s, s.startMessageMoveTask),
		"ListMessageMoveTasks":         locked(s, s.listMessageMoveTasks),
	}
}

// decoded returns an action that decodes the request's JSON into an In and calls f.
func decoded[In any](f func(context.Context, string, In) (any, error)) action {
	return func(ctx context.Context, base string, body []byte) (any, error) {
		var in In
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, errorf("SerializationException", "the request is not valid JSON for this action: %v", err)
		}
		return f(ctx, base, in)
	}
}

// locked is like decoded, and holds s.mu during the call of f.
func locked[In any](s *Server, f func(string, In) (any, error)) action {
	return decoded(func(_ context.Context, base string, in In) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return f(base, in)
	})
}
