package sqs

import (
	"encoding/json"
	"errors"
	"regexp"
)

// maxBatch is the limit on entries in a batch request.
const maxBatch = 10

type batchInput[E any] struct {
	queueInput
	Entries []batchEntry[E]
}

// batchEntry is one entry of a batch. Its JSON object holds an id and the single call's fields.
type batchEntry[E any] struct {
	ID    string
	Entry E
}

var _ json.Unmarshaler = (*batchEntry[receiptInput])(nil)

// UnmarshalJSON decodes both fields from one object, because Go can't embed a type parameter.
func (e *batchEntry[E]) UnmarshalJSON(b []byte) error {
	var id batchResult
	if err := json.Unmarshal(b, &id); err != nil {
		return err
	}
	e.ID = id.ID
	return json.Unmarshal(b, &e.Entry)
}

type batchFailure struct {
	ID          string `json:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

type batchOutput struct {
	Successful []any          `json:",omitempty"`
	Failed     []batchFailure `json:",omitempty"`
}

type batchResult struct {
	ID string `json:"Id"`
}

type sendBatchResult struct {
	ID string `json:"Id"`
	sendOutput
}

// runBatch calls do for every entry. A malformed request fails as a whole. Otherwise each entry
// succeeds or fails by itself.
func runBatch[E any](s *Server, in batchInput[E], do func(q *queue, id string, entry E) (any, error)) (any, error) {
	q, err := s.queueByURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if err := checkBatch(in.Entries); err != nil {
		return nil, err
	}
	out := batchOutput{}
	for _, e := range in.Entries {
		result, err := do(q, e.ID, e.Entry)
		if failed, ok := errors.AsType[*apiError](err); ok {
			out.Failed = append(out.Failed, batchFailure{
				ID: e.ID, Code: failed.queryCode(), Message: failed.message, SenderFault: true,
			})
			continue
		}
		if err != nil {
			return nil, err
		}
		out.Successful = append(out.Successful, result)
	}
	return out, nil
}

func checkBatch[E any](entries []batchEntry[E]) error {
	if len(entries) == 0 {
		return errorf("EmptyBatchRequest", "There should be at least one entry in the request.")
	}
	if len(entries) > maxBatch {
		return errorf("TooManyEntriesInBatchRequest",
			"Maximum number of entries per request are %d. You have sent %d.", maxBatch, len(entries))
	}
	wellFormed := regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
	seen := map[string]bool{}
	for _, e := range entries {
		if !wellFormed.MatchString(e.ID) {
			return errorf("InvalidBatchEntryId",
				"A batch entry id can only contain alphanumeric characters, hyphens and underscores. "+
					"It can be at most 80 letters long.")
		}
		if seen[e.ID] {
			return errorf("BatchEntryIdsNotDistinct", "Id %s repeated.", e.ID)
		}
		seen[e.ID] = true
	}
	return nil
}

func (s *Server) sendMessageBatch(_ string, in batchInput[messageInput]) (any, error) {
	size := 0
	for _, e := range in.Entries {
		size += len(e.Entry.MessageBody)
	}
	if size > 1<<20 {
		return nil, errorf("BatchRequestTooLong",
			"Batch requests cannot be longer than %d bytes. You have sent %d bytes.", 1<<20, size)
	}
	return runBatch(s, in, func(q *queue, id string, entry messageInput) (any, error) {
		result, err := s.send(q, entry)
		return sendBatchResult{ID: id, sendOutput: result}, err
	})
}

func (s *Server) deleteMessageBatch(_ string, in batchInput[receiptInput]) (any, error) {
	return runBatch(s, in, func(q *queue, id string, entry receiptInput) (any, error) {
		return batchResult{id}, s.delete(q, entry)
	})
}

func (s *Server) changeMessageVisibilityBatch(_ string, in batchInput[visibilityChange]) (any, error) {
	return runBatch(s, in, func(q *queue, id string, entry visibilityChange) (any, error) {
		return batchResult{id}, s.changeVisibility(q, entry)
	})
}
