package workflows_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

func input() workflows.CopyObjectInput {
	return workflows.CopyObjectInput{Source: activities.SealedObject{
		Service: "s3", Region: "us-west-2", URL: "https://example.com/a.zip", Hash: "00",
	}}
}

// run is a workflow in the SDK's test environment. Its activities are mocked by name.
type run struct {
	*testsuite.TestWorkflowEnvironment
	updates []activities.UpdateCacheInput
}

func newRun(t *testing.T) *run {
	t.Helper()
	r := &run{TestWorkflowEnvironment: (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()}
	r.RegisterActivity(&activities.Activities{})
	return r
}

// updateCache mocks UpdateCache by answer, which gets the number of the call, and keeps the inputs.
func (r *run) updateCache(answer func(n int) error) {
	r.OnActivity("UpdateCache", mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.UpdateCacheInput) error {
			r.updates = append(r.updates, in)
			return answer(len(r.updates))
		})
}

func failed(class string, status int, permanent bool) error {
	return temporal.NewApplicationErrorWithOptions(class, class, temporal.ApplicationErrorOptions{
		NonRetryable: permanent,
		Details:      []any{activities.Failure{Class: class, Status: status, Permanent: permanent, Text: class}},
	})
}

func ok(int) error { return nil }

func head() activities.HeadSourceResult {
	return activities.HeadSourceResult{Meta: origin.Meta{Size: -1}, First: true, Generation: 3}
}

// described is the result of a HeadSource of a build before 2026-11-25, which described the source.
func described(size int64) activities.HeadSourceResult {
	return activities.HeadSourceResult{Meta: origin.Meta{Size: size}, Generation: 3}
}

func (r *run) result(t *testing.T) workflows.CopyObjectResult {
	t.Helper()
	require.True(t, r.IsWorkflowCompleted())
	require.NoError(t, r.GetWorkflowError())
	var out workflows.CopyObjectResult
	require.NoError(t, r.GetWorkflowResult(&out))
	return out
}

func (r *run) requireFailed(t *testing.T, class string) {
	t.Helper()
	require.True(t, r.IsWorkflowCompleted())
	var app *temporal.ApplicationError
	require.ErrorAs(t, r.GetWorkflowError(), &app)
	require.Equal(t, class, app.Type())
	require.True(t, app.NonRetryable())
}
