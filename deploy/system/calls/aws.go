package calls

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// AWS returns an option for clients of S3 and SQS that counts their calls. It times each attempt of
// the SDK, until the response is decoded or its body begins.
func (c *Calls) AWS() func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		// Presigning clears this step, so that it counts nothing.
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("CloudMirrorCalls", c.deserialize), middleware.Before)
	}
}

func (c *Calls) deserialize(
	ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
) (middleware.DeserializeOutput, middleware.Metadata, error) {
	start := time.Now()
	out, metadata, err := next.HandleDeserialize(ctx, in)
	failure := err
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		failure = ctx.Err()
	} else if expected(err) {
		failure = nil
	}
	c.observe(strings.ToLower(awsmiddleware.GetServiceID(ctx)), awsmiddleware.GetOperationName(ctx), time.Since(start), failure)
	return out, metadata, err
}

// expected reports whether an error is an answer that the code expects: a missing object, or one that
// has changed since.
func expected(err error) bool {
	response, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok {
		return false
	}
	switch response.HTTPStatusCode() {
	case http.StatusNotModified, http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed:
		return true
	}
	return false
}
