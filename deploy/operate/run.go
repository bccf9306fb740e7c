package operate

import (
	"strconv"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// run is the printed form of a run.
type run struct {
	ID     string `json:"workflowId"`
	Run    string `json:"runId"`
	Status string `json:"status"`
	Class  string `json:"errorClass,omitempty"`
	// Attempts, HTTPStatus and Bytes are of a run that has ended.
	Attempts   int       `json:"attempts,omitempty"`
	HTTPStatus int       `json:"httpStatus,omitempty"`
	Bytes      int64     `json:"bytes,omitempty"`
	Start      time.Time `json:"startTime"`
	Took       string    `json:"took"` // Until now, while it runs
}

func runOf(w *workflow.WorkflowExecutionInfo, now time.Time) run {
	end := now
	if w.GetCloseTime() != nil {
		end = w.GetCloseTime().AsTime()
	}
	attempts, _ := strconv.Atoi(keyword(w, workflows.AttemptsAttribute())) // Without the attribute, 0
	return run{
		ID: printable(w.GetExecution().GetWorkflowId()), Run: w.GetExecution().GetRunId(), Status: w.GetStatus().String(),
		Class: keyword(w, workflows.ErrorClassAttribute()), Attempts: attempts,
		HTTPStatus: int(number(w, workflows.HTTPStatusAttribute())), Bytes: number(w, workflows.BytesAttribute()),
		Start: w.GetStartTime().AsTime(),
		Took:  end.Sub(w.GetStartTime().AsTime()).Round(time.Millisecond).String(),
	}
}

// keyword returns a search attribute, or an empty string.
func keyword(w *workflow.WorkflowExecutionInfo, key temporal.SearchAttributeKeyKeyword) (value string) {
	attribute(w, key, &value)
	return printable(value)
}

// number returns a search attribute, or 0.
func number(w *workflow.WorkflowExecutionInfo, key temporal.SearchAttributeKeyInt64) (value int64) {
	attribute(w, key, &value)
	return value
}

// attribute sets value to a search attribute, if the run has it.
func attribute(w *workflow.WorkflowExecutionInfo, key temporal.SearchAttributeKey, value any) {
	if p := w.GetSearchAttributes().GetIndexedFields()[key.GetName()]; p != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(p, value) // A foreign value is not shown.
	}
}

func running(w *workflow.WorkflowExecutionInfo) bool {
	return w.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING
}
