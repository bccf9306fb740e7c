package codec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"

	"github.com/cloud-mirror/cloud-mirror/worker/codec"
)

// Keys of tests.
const (
	keyA = "a=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	keyB = "b=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
)

func newCodec(t *testing.T, keys ...string) *codec.Codec {
	t.Helper()
	c, err := codec.New(keys, func(error) {})
	require.NoError(t, err)
	return c
}

func TestPayloadsAreHiddenAndOpen(t *testing.T) {
	type input struct{ URL, Note string }
	in := input{"https://example.com/a", "secret"}
	dc := newCodec(t, keyA).DataConverter()
	payloads, err := dc.ToPayloads(in, "secret", []byte("secret"), nil)
	require.NoError(t, err)
	require.Len(t, payloads.GetPayloads(), 4)
	for _, p := range payloads.GetPayloads() {
		require.Equal(t, "binary/encrypted", string(p.GetMetadata()["encoding"]))
		require.Equal(t, "a", string(p.GetMetadata()["encryption-key-id"]))
		require.Len(t, p.GetMetadata(), 2)
		require.NotContains(t, p.String(), "secret")
		require.NotContains(t, p.String(), "example.com")
	}
	plain, err := converter.GetDefaultDataConverter().ToPayloads(in)
	require.NoError(t, err)
	require.Contains(t, plain.String(), "secret", "the control")
	var got input
	var text string
	require.NoError(t, dc.FromPayloads(payloads, &got, &text))
	require.Equal(t, in, got)
	require.Equal(t, "secret", text)
	again, err := dc.ToPayloads(in)
	require.NoError(t, err)
	require.NotEqual(t, payloads.GetPayloads()[0].GetData(), again.GetPayloads()[0].GetData(), "equal payloads look different")
}

// TestRotation reads payloads of every step of a rotation with the keys of every other step.
func TestRotation(t *testing.T) {
	for name, tc := range map[string]struct {
		writer, reader []string
		missing        string // the id
	}{
		"off":                        {nil, nil, ""},
		"off, then on":               {nil, []string{keyA}, ""},
		"prepared":                   {nil, []string{codec.None, keyA}, ""},
		"switched on":                {[]string{keyA}, []string{codec.None, keyA}, ""},
		"switched on too early":      {[]string{keyA}, nil, "a"},
		"second key added":           {[]string{keyA}, []string{keyA, keyB}, ""},
		"second key first":           {[]string{keyB, keyA}, []string{keyA, keyB}, ""},
		"second key first too early": {[]string{keyB, keyA}, []string{keyA}, "b"},
		"first key removed":          {[]string{keyB}, []string{keyB}, ""},
		"first key removed early":    {[]string{keyA}, []string{keyB}, "a"},
		"switched off":               {[]string{keyA}, []string{codec.None, keyA}, ""},
		"another key of the same id": {[]string{keyA}, []string{strings.Replace(keyB, "b=", "a=", 1)}, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := newCodec(t, tc.writer...).DataConverter().ToPayload("secret")
			require.NoError(t, err)
			var reported []error
			reader, err := codec.New(tc.reader, func(err error) { reported = append(reported, err) })
			require.NoError(t, err)
			var got string
			err = reader.DataConverter().FromPayload(p, &got)
			if tc.missing == "" {
				require.NoError(t, err)
				require.Equal(t, "secret", got)
				require.Empty(t, reported)
				return
			}
			require.ErrorIs(t, err, codec.ErrKey)
			require.ErrorContains(t, err, `"`+tc.missing+`"`)
			require.NotContains(t, err.Error(), "secret")
			require.Len(t, reported, 1)
			require.Panics(t, func() {
				aware, ok := reader.DataConverter().(converter.ContextAware)
				require.True(t, ok)
				_ = aware.WithWorkflowContext(nil).FromPayload(p, &got)
			}, "an error would fail the workflow")
		})
	}
}

func TestAChangedPayloadIsRefused(t *testing.T) {
	c := newCodec(t, keyA, keyB)
	p, err := c.DataConverter().ToPayload("secret")
	require.NoError(t, err)
	for name, edit := range map[string]func(*common.Payload){
		"nothing": func(*common.Payload) {},
		"a bit":   func(p *common.Payload) { p.Data[len(p.Data)-1] ^= 1 },
		"cut":     func(p *common.Payload) { p.Data = p.Data[:5] },
		"empty":   func(p *common.Payload) { p.Data = nil },
		"key":     func(p *common.Payload) { p.Metadata["encryption-key-id"] = []byte("b") },
		"no key":  func(p *common.Payload) { delete(p.Metadata, "encryption-key-id") },
	} {
		t.Run(name, func(t *testing.T) {
			changed, ok := proto.Clone(p).(*common.Payload)
			require.True(t, ok)
			edit(changed)
			var got string
			err := c.DataConverter().FromPayload(changed, &got)
			if name == "nothing" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, codec.ErrKey)
			require.Empty(t, got)
		})
	}
}

func TestFailuresAreHidden(t *testing.T) {
	failed := temporal.NewApplicationErrorWithOptions("secret message", "BadHTTPStatus", temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{"secret detail"}, Cause: errors.New("secret cause"),
	})
	plain := newCodec(t).FailureConverter().ErrorToFailure(failed)
	require.Contains(t, plain.String(), "secret message", "the control")

	f := newCodec(t, keyA).FailureConverter().ErrorToFailure(failed)
	require.NotContains(t, f.String(), "secret")
	require.Equal(t, "Encoded failure", f.GetMessage())
	require.Equal(t, "Encoded failure", f.GetCause().GetMessage())
	require.Equal(t, "BadHTTPStatus", f.GetApplicationFailureInfo().GetType())
	require.True(t, f.GetApplicationFailureInfo().GetNonRetryable())
	var back *temporal.ApplicationError
	require.ErrorAs(t, newCodec(t, codec.None, keyA).FailureConverter().FailureToError(proto.CloneOf(f)), &back)
	require.Equal(t, "secret message", back.Message())
	var detail string
	require.NoError(t, back.Details(&detail))
	require.Equal(t, "secret detail", detail)
	require.ErrorContains(t, back.Unwrap(), "secret cause")
	require.Panics(t, func() { _ = newCodec(t, keyB).FailureConverter().FailureToError(f) },
		"a workflow would take it for another failure")
	require.NotPanics(t, func() { _ = newCodec(t, keyB).FailureConverter().FailureToError(plain) })
}

// TestServersFailuresNeedTheirKeys has failures that Temporal's server makes. They are plain, and
// hold a worker's payloads.
func TestServersFailuresNeedTheirKeys(t *testing.T) {
	details, err := newCodec(t, keyA).DataConverter().ToPayloads("progress")
	require.NoError(t, err)
	cause := newCodec(t, keyA).FailureConverter().ErrorToFailure(errors.New("secret"))
	timeout := func(last *common.Payloads) *failure.Failure_TimeoutFailureInfo {
		return &failure.Failure_TimeoutFailureInfo{TimeoutFailureInfo: &failure.TimeoutFailureInfo{LastHeartbeatDetails: last}}
	}
	for name, f := range map[string]*failure.Failure{
		"time-out with a heartbeat":   {FailureInfo: timeout(details)},
		"time-out after a failure":    {FailureInfo: timeout(nil), Cause: cause},
		"cancellation with details":   {FailureInfo: &failure.Failure_CanceledFailureInfo{CanceledFailureInfo: &failure.CanceledFailureInfo{Details: details}}},
		"reset with a heartbeat":      {FailureInfo: &failure.Failure_ResetWorkflowFailureInfo{ResetWorkflowFailureInfo: &failure.ResetWorkflowFailureInfo{LastHeartbeatDetails: details}}},
		"an operator's, with details": {FailureInfo: &failure.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failure.ApplicationFailureInfo{Details: details}}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Panics(t, func() { _ = newCodec(t, keyB).FailureConverter().FailureToError(proto.CloneOf(f)) })
			require.NotPanics(t, func() { _ = newCodec(t, keyB, keyA).FailureConverter().FailureToError(proto.CloneOf(f)) }, "control")
		})
	}
}

func TestKeys(t *testing.T) {
	key := strings.TrimPrefix(keyA, "a=")
	for name, tc := range map[string]struct {
		keys []string
		want string // in the error
	}{
		"none":                  {nil, ""},
		"one without an id":     {[]string{key}, ""},
		"one twice":             {[]string{key, key}, "key 2 has the id of an earlier key"},
		"two of one id":         {[]string{keyA, strings.Replace(keyB, "b=", "a=", 1)}, "key 2 has the id"},
		"not base64":            {[]string{"secret"}, "key 1 is not id=key"},
		"short":                 {[]string{"a=c2VjcmV0"}, "key 1 is not id=key"},
		"no id":                 {[]string{"=" + key}, "key 1 has an id with other characters"},
		"id with a space":       {[]string{keyA, "b b=" + key}, "key 2 has an id with other characters"},
		"none in another place": {[]string{keyA, codec.None}, "key 2 is not id=key"},
		"only none":             {[]string{codec.None}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := codec.New(tc.keys, nil)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "secret")
			require.NotContains(t, err.Error(), key)
		})
	}
}
