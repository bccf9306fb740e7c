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

// apiError is an error as clients see it: a modelled type of the service, and a message.
type apiError struct {
	code    string // without a name space, for example QueueDoesNotExist
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

// MarshalJSON writes the body of an error response.
func (e *apiError) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"__type": "com.amazonaws.sqs#" + e.code, "message": e.message})
}

// queryCode is the code of the error in the older query protocol. Real SQS sends it along for the sake of clients that
// compare codes; the codes are those of the awsQueryError traits in the service's model.
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
