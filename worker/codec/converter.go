package codec

import (
	"context"
	"errors"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
)

var (
	_ converter.DataConverter    = dataConverter{}
	_ converter.ContextAware     = dataConverter{}
	_ converter.FailureConverter = failureConverter{}
)

// DataConverter returns the SDK's default converter with encryption.
func (c *Codec) DataConverter() converter.DataConverter {
	return dataConverter{converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), c)}
}

// FailureConverter returns the SDK's default converter. If the codec encrypts, it hides messages
// and stack traces.
func (c *Codec) FailureConverter() converter.FailureConverter {
	return failureConverter{
		codec: c,
		FailureConverter: temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
			DataConverter: c.DataConverter(), EncodeCommonAttributes: c.Encrypts(),
		}),
	}
}

// dataConverter panics inside workflows if a key is missing.
type dataConverter struct{ converter.DataConverter }

// WithWorkflowContext returns the converter for the code of a workflow.
func (d dataConverter) WithWorkflowContext(converter.WorkflowContext) converter.DataConverter {
	return workflowConverter(d)
}

// WithContext returns the converter for activities and clients.
func (d dataConverter) WithContext(context.Context) converter.DataConverter { return d }

// workflowConverter panics if a key is missing. The SDK then fails the workflow task, which is
// retried. It would fail the workflow for an error (see [converter.PayloadCodec]).
type workflowConverter struct{ converter.DataConverter }

func (w workflowConverter) FromPayload(p *common.Payload, value any) error {
	return panicWithoutKey(w.DataConverter.FromPayload(p, value))
}

func (w workflowConverter) FromPayloads(p *common.Payloads, values ...any) error {
	return panicWithoutKey(w.DataConverter.FromPayloads(p, values...))
}

func panicWithoutKey(err error) error {
	if errors.Is(err, ErrKey) {
		panic(err)
	}
	return err
}

// failureConverter panics if the key of a failure is missing. Only a workflow task converts
// failures here. It would mistake a failure that it can't read for another.
type failureConverter struct {
	converter.FailureConverter
	codec *Codec
}

func (f failureConverter) FailureToError(failed *failure.Failure) error {
	for cause := failed; cause != nil; cause = cause.GetCause() {
		for _, p := range payloadsOf(cause) {
			if !encrypted(p) {
				continue
			}
			_, err := f.codec.Decode([]*common.Payload{p})
			_ = panicWithoutKey(err)
		}
	}
	return f.FailureConverter.FailureToError(failed)
}

// payloadsOf returns the payloads of one failure, without its cause.
func payloadsOf(f *failure.Failure) []*common.Payload {
	var all []*common.Payload
	if p := f.GetEncodedAttributes(); p != nil {
		all = append(all, p)
	}
	for _, more := range []*common.Payloads{
		f.GetApplicationFailureInfo().GetDetails(), f.GetCanceledFailureInfo().GetDetails(),
		f.GetTimeoutFailureInfo().GetLastHeartbeatDetails(), f.GetResetWorkflowFailureInfo().GetLastHeartbeatDetails(),
	} {
		all = append(all, more.GetPayloads()...)
	}
	return all
}
