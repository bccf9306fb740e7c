package sqs

import (
	"encoding/json"
	"fmt"
	"net/http"
)

var (
	_ error          = (*apiError)(nil)
	_ json.Marshaler = (*apiError)(nil)
)

// apiError is an error response: an error type of the service's model, and a message.
type apiError struct {
	code    string // Without the namespace, for example QueueDoesNotExist
	message string
	status  int // 400 if zero
}

func errorf(code, format string, args ...any) *apiError {
	return &apiError{code: code, message: fmt.Sprintf(format, args...)}
}

func queueNotFound(name string) *apiError {
	return errorf("QueueDoesNotExist", "The specified queue does not exist: %s", name)
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func (e *apiError) httpStatus() int {
	if e.status == 0 {
		return http.StatusBadRequest
	}
	return e.status
}

// MarshalJSON returns the body of an error response.
func (e *apiError) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"__type": "com.amazonaws.sqs#" + e.code, "message": e.message})
}

// queryCode returns the error's code in the older query protocol. Real SQS sends it too, because
// some clients compare codes. The codes come from the awsQueryError traits in the service's model.
func (e *apiError) queryCode() string {
	switch e.code {
	case "QueueDoesNotExist":
		return "AWS.SimpleQueueService.NonExistentQueue"
	case "QueueNameExists":
		return "QueueAlreadyExists"
	case "MessageNotInflight", "EmptyBatchRequest", "BatchEntryIdsNotDistinct", "TooManyEntriesInBatchRequest",
		"InvalidBatchEntryId", "BatchRequestTooLong", "UnsupportedOperation":
		return "AWS.SimpleQueueService." + e.code
	}
	return e.code
}
