package worker_test

import (
	"context"
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/mocks"
	"google.golang.org/grpc"

	"github.com/cloud-mirror/cloud-mirror/worker"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// operatorDouble is an operator service, or the refusal of a provider that keeps its own to itself.
type operatorDouble struct {
	operatorservice.OperatorServiceClient
	listErr error
	have    map[string]enums.IndexedValueType
	added   map[string]enums.IndexedValueType
}

func (o *operatorDouble) ListSearchAttributes(
	context.Context, *operatorservice.ListSearchAttributesRequest, ...grpc.CallOption,
) (*operatorservice.ListSearchAttributesResponse, error) {
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: o.have}, o.listErr
}

func (o *operatorDouble) AddSearchAttributes(
	_ context.Context, r *operatorservice.AddSearchAttributesRequest, _ ...grpc.CallOption,
) (*operatorservice.AddSearchAttributesResponse, error) {
	o.added = r.GetSearchAttributes()
	return nil, nil
}

func TestSetupAttributes(t *testing.T) {
	all := map[string]enums.IndexedValueType{}
	for _, key := range workflows.AttributeKeys() {
		all[key.GetName()] = key.GetValueType()
	}
	for name, tc := range map[string]struct {
		listErr    error
		clientKeys map[string]enums.IndexedValueType // from the client's own call
		dryRun     bool
		added      int
		line       string
		fails      bool
	}{
		"registers missing attributes":      {nil, nil, false, 7, "Temporal search attributes: registered ", false},
		"dry run":                           {nil, nil, true, 0, "Temporal search attributes: would register ", false},
		"the provider's own, all exist":     {serviceerror.NewPermissionDenied("no", ""), all, false, 0, "Temporal search attributes: exist", false},
		"the provider's own, missing":       {serviceerror.NewUnimplemented("no"), nil, false, 7, "", false},
		"an unavailable server is an error": {errors.New("unavailable"), all, false, 0, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			operator := &operatorDouble{listErr: tc.listErr}
			c := &mocks.Client{}
			c.On("OperatorService").Return(operator)
			c.On("GetSearchAttributes", mock.Anything).
				Return(&workflowservice.GetSearchAttributesResponse{Keys: tc.clientKeys}, nil)
			lines, err := worker.SetupAttributes(t.Context(), c, "default", tc.dryRun)
			require.Equal(t, tc.fails, err != nil, "%v", err)
			require.Len(t, operator.added, tc.added)
			for name, is := range operator.added {
				require.Equal(t, all[name], is, name)
			}
			if tc.line != "" {
				require.Contains(t, lines[0], tc.line)
			}
		})
	}
}

// Temporal answers AlreadyExists if another type is registered: the attribute would stay unusable.
func TestSetupAttributesReportsAnotherType(t *testing.T) {
	for _, key := range workflows.AttributeKeys() {
		name := key.GetName()
		operator := &operatorDouble{have: map[string]enums.IndexedValueType{name: enums.INDEXED_VALUE_TYPE_BOOL}}
		c := &mocks.Client{}
		c.On("OperatorService").Return(operator)
		for _, dryRun := range []bool{true, false} {
			_, err := worker.SetupAttributes(t.Context(), c, "default", dryRun)
			require.ErrorContains(t, err, "search attribute "+name+" is registered as Bool instead of "+key.GetValueType().String()+
				": remove it with `temporal operator search-attribute remove --name "+name+"`")
			require.Empty(t, operator.added)
		}
	}
}

func TestWorkerDoesNotStartWithoutSearchAttributes(t *testing.T) {
	c := &mocks.Client{}
	c.On("OperatorService").Return(&operatorDouble{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // a worker that did start would stop at once
	w := worker.New(c, worker.Options{Metrics: worker.NewMetrics(prometheus.NewRegistry(), nil, worker.Upstreams{}), Log: zerolog.Nop(), Namespace: "default"})
	err := w.Run(ctx)
	require.ErrorIs(t, err, worker.ErrAttributes)
	require.ErrorContains(t, err, "MirrorErrorClass")
	require.Error(t, w.Ready())
}
