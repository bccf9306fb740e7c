package operate

import (
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
)

// maxShape is the length of the longest shape that is printed, in bytes.
const maxShape = 200

// shape describes the path that a run took: its steps, and how it ended. Runs of one path have one
// shape.
func shape(events []*history.HistoryEvent, payloads converter.DataConverter) string {
	return printable(steps(events, payloads) + ": " + endOf(events))
}

// steps lists the steps that events record. A step that is repeated at once is listed once.
func steps(events []*history.HistoryEvent, payloads converter.DataConverter) string {
	var all []string
	for _, e := range events {
		if step := stepOf(e, payloads); step != "" && (len(all) == 0 || all[len(all)-1] != step) {
			all = append(all, step)
		}
	}
	text := strings.Join(all, ", ")
	if len(text) > maxShape {
		text = strings.ToValidUTF8(text[:maxShape], "") + "…"
	}
	return text
}

// stepOf returns the step that an event records, or an empty string.
func stepOf(e *history.HistoryEvent, payloads converter.DataConverter) string {
	switch e.GetEventType() { //nolint:exhaustive // The others are no steps
	case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		return e.GetActivityTaskScheduledEventAttributes().GetActivityType().GetName()
	case enums.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		return "failed"
	case enums.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		return "timed out"
	case enums.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		return "cancelled"
	case enums.EVENT_TYPE_MARKER_RECORDED:
		return localStep(e.GetMarkerRecordedEventAttributes(), payloads)
	case enums.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED:
		return "signals " + e.GetSignalExternalWorkflowExecutionInitiatedEventAttributes().GetSignalName()
	case enums.EVENT_TYPE_TIMER_STARTED:
		return "timer"
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		return "signal " + e.GetWorkflowExecutionSignaledEventAttributes().GetSignalName()
	case enums.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED:
		return "cancel requested"
	}
	return ""
}

// localStep returns the step of a local attempt at an activity, which the SDK records as a marker.
func localStep(m *history.MarkerRecordedEventAttributes, payloads converter.DataConverter) string {
	if m.GetMarkerName() != "LocalActivity" {
		return ""
	}
	var data struct{ ActivityType string }
	_ = payloads.FromPayloads(m.GetDetails()["data"], &data) // Without the key, the attempt has no name.
	step := strings.TrimSpace("local " + data.ActivityType)
	if m.GetFailure() != nil {
		step += " failed"
	}
	return step
}

// endOf returns the status of the run that has these events.
func endOf(events []*history.HistoryEvent) string {
	ends := map[enums.EventType]enums.WorkflowExecutionStatus{
		enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:        enums.WORKFLOW_EXECUTION_STATUS_COMPLETED,
		enums.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:           enums.WORKFLOW_EXECUTION_STATUS_FAILED,
		enums.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:         enums.WORKFLOW_EXECUTION_STATUS_CANCELED,
		enums.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:       enums.WORKFLOW_EXECUTION_STATUS_TERMINATED,
		enums.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:        enums.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
		enums.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW,
	}
	if status, ended := ends[events[len(events)-1].GetEventType()]; ended {
		return status.String()
	}
	return enums.WORKFLOW_EXECUTION_STATUS_RUNNING.String()
}
