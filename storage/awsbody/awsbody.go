package awsbody

import (
	"context"
	"io"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// HideWriterTo is an option of an SDK client: `o.APIOptions = append(o.APIOptions, awsbody.HideWriterTo)`.
// The request's body has no WriteTo, so that net/http reads it with Read, which is right.
func HideWriterTo(stack *middleware.Stack) error {
	return stack.Finalize.Add(middleware.FinalizeMiddlewareFunc("HideWriterTo", hideWriterTo), middleware.Before)
}

func hideWriterTo(
	ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler,
) (middleware.FinalizeOutput, middleware.Metadata, error) {
	request, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return next.HandleFinalize(ctx, in)
	}
	// The SDK rewinds a body that can seek before a second attempt.
	body, ok := request.GetStream().(io.ReadSeeker)
	if !ok {
		return next.HandleFinalize(ctx, in)
	}
	request, err := request.SetStream(struct{ io.ReadSeeker }{body})
	if err != nil {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, err
	}
	in.Request = request
	return next.HandleFinalize(ctx, in)
}
