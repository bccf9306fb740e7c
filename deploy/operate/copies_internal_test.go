package operate

import (
	"bytes"
	"encoding/base64"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/worker/codec"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

func TestQueryOfAFilter(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	hour := model.Duration(time.Hour)
	for want, tc := range map[string]struct {
		f        filter
		statuses []string
	}{
		`WorkflowType="CopyObject"`: {filter{Limit: 1}, nil},
		`WorkflowType="CopyObject" AND MirrorService="s3" AND MirrorRegion="us-west-2" AND MirrorHost="example.com:8080"` +
			` AND MirrorErrorClass="SourceStalled" AND (ExecutionStatus="Failed" OR ExecutionStatus="TimedOut") AND StartTime>"2026-11-26T11:00:00Z"`: {
			filter{Service: "s3", Region: "us-west-2", Host: "example.com:8080", Class: "SourceStalled", Since: &hour, Limit: 1},
			[]string{"Failed", "TimedOut"},
		},
		`WorkflowType="CopyObject" AND MirrorErrorClass STARTS_WITH "BadHTTPStatus"`: {filter{Class: "BadHTTPStatus", Limit: 1}, nil},
		`WorkflowType="CopyObject" AND MirrorErrorClass="BadHTTPStatus-503"`:         {filter{Class: "BadHTTPStatus-503", Limit: 1}, nil},
	} {
		got, err := tc.f.query(tc.statuses, now)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for want, f := range map[string]filter{
		`--host: "a\" OR \"b" is not a host, or a host with a port`:                                    {Host: `a" OR "b`, Limit: 1},
		"--region has a quote or a backslash":                                                          {Region: `a'`, Limit: 1},
		"--limit is 0, want at least 1":                                                                {},
		`--class is "503", want an error class, e.g. SourceStalled or BadHTTPStatus-503`:               {Class: "503", Limit: 1},
		`--class is "BadHTTPStatus-50", want an error class, e.g. SourceStalled or BadHTTPStatus-503`:  {Class: "BadHTTPStatus-50", Limit: 1},
		`--class is "SourceStalled-503", want an error class, e.g. SourceStalled or BadHTTPStatus-503`: {Class: "SourceStalled-503", Limit: 1},
	} {
		_, err := f.query(nil, now)
		require.EqualError(t, err, want)
	}
}

// TestMatchesOfAFilter compares the latest run of an object with a filter.
func TestMatchesOfAFilter(t *testing.T) {
	failed := info(t, "a", "BadHTTPStatus-503", enums.WORKFLOW_EXECUTION_STATUS_FAILED)
	for want, all := range map[bool][]struct {
		class    string
		statuses []string
	}{
		true:  {{"", nil}, {"BadHTTPStatus", nil}, {"BadHTTPStatus-503", []string{"TimedOut", "Failed"}}},
		false: {{"", []string{"Running"}}, {"BadHTTPStatus-404", nil}, {"SourceStalled", []string{"Failed"}}},
	} {
		for _, tc := range all {
			require.Equal(t, want, (&filter{Class: tc.class}).matches(failed, tc.statuses), tc)
		}
	}
}

func TestCopiesAreChosenInOneWay(t *testing.T) {
	one := filter{Host: "a", Limit: 1}
	canceled := []string{"Canceled"}
	require.NoError(t, chosenOnce([]string{"id"}, filter{Limit: 1}, nil, false))
	require.NoError(t, chosenOnce(nil, one, nil, false))
	require.NoError(t, chosenOnce(nil, one, canceled, false))
	require.NoError(t, chosenOnce(nil, filter{Limit: 1}, canceled, false))
	require.NoError(t, chosenOnce(nil, filter{Limit: 1}, nil, true))
	require.NoError(t, chosenOnce(nil, filter{Limit: 1}, canceled, true))
	for _, err := range []error{
		chosenOnce(nil, filter{Limit: 1}, nil, false), chosenOnce([]string{"id"}, one, nil, false), chosenOnce(nil, one, nil, true),
		chosenOnce([]string{"id"}, filter{}, nil, true), chosenOnce([]string{"id"}, filter{}, canceled, false),
	} {
		require.EqualError(t, err, "choose copies by their workflow ids, by flags, or by --all")
	}
}

// TestRetriedStatuses has the class of a retry say which statuses it retries.
func TestRetriedStatuses(t *testing.T) {
	for class, want := range map[string][]string{
		"": {"Failed"}, "SourceStalled": {"Failed"}, "BadHTTPStatus-503": {"Failed"},
		"Cancelled": {"Canceled", "Failed"}, "Purged": {"Canceled", "Failed"},
	} {
		require.Equal(t, want, (&CopiesRetryCommand{filter: filter{Class: class}}).statuses(), class)
		require.Equal(t, []string{"TimedOut"}, (&CopiesRetryCommand{filter: filter{Class: class}, Status: []string{"TimedOut"}}).statuses(), class)
	}
	require.EqualError(t, (&CopiesRetryCommand{filter: filter{Class: "SourceTooSmall", Limit: 1}}).Validate(),
		"no copy to retry has the class SourceTooSmall: such a copy completed")
}

// TestClassesOfNoRun compares the classes that are refused with those that the operators' page
// gives to no run.
func TestClassesOfNoRun(t *testing.T) {
	page, err := os.ReadFile("../OPERATORS.md")
	require.NoError(t, err)
	var never []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`\\w+`(?:, `\\w+`)*) \\| .*(?:never|Only the entry)").FindAllStringSubmatch(string(page), -1) {
		for _, class := range regexp.MustCompile(`\w+`).FindAllString(row[1], -1) {
			never = append(never, class)
			_, err := (&filter{Class: class, Limit: 1}).query(nil, time.Now())
			require.EqualError(t, err, "--class is "+class+", which no run ends with: see its row in OPERATORS.md")
		}
	}
	require.Contains(t, never, "Terminated")
	require.ElementsMatch(t, never, classesOfNoRun())
}

// TestPendingSaysWhatTheHeartbeatSays shows a copy of unknown size, and one of an earlier build.
func TestPendingSaysWhatTheHeartbeatSays(t *testing.T) {
	m := &mirror{payloads: converter.GetDefaultDataConverter()}
	for want, p := range map[string]activities.Progress{
		"12 MiB stored, 20 MiB/s": {Done: 12 << 20, Total: -1, Now: "12 MiB stored, 20 MiB/s"},
		"5 of 7 bytes stored":     {Done: 5, Total: 7},
		"5 bytes stored":          {Done: 5, Total: -1},
	} {
		details, err := m.payloads.ToPayloads(p)
		require.NoError(t, err)
		rows := map[string]string{}
		m.pending(func(name, value string) { rows[name] = value }, &workflow.PendingActivityInfo{HeartbeatDetails: details})
		require.Equal(t, want, rows["progress"])
	}
}

// info returns a run with a class, which took 1.5 s if it has ended.
func info(t *testing.T, id, class string, status enums.WorkflowExecutionStatus) *workflow.WorkflowExecutionInfo {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayload(class)
	require.NoError(t, err)
	start := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	w := &workflow.WorkflowExecutionInfo{
		Execution: &common.WorkflowExecution{WorkflowId: id, RunId: "run"}, Status: status, StartTime: timestamppb.New(start),
		SearchAttributes: &common.SearchAttributes{IndexedFields: map[string]*common.Payload{workflows.ErrorClassAttribute().GetName(): p}},
	}
	if status != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		w.CloseTime = timestamppb.New(start.Add(1500 * time.Millisecond))
	}
	return w
}

func TestListOfCopies(t *testing.T) {
	all := []*workflow.WorkflowExecutionInfo{
		info(t, "s3_us-west-2/a/b", "SourceStalled", enums.WORKFLOW_EXECUTION_STATUS_FAILED),
		info(t, "s3_us-west-2/a/\x1b[2J", "", enums.WORKFLOW_EXECUTION_STATUS_RUNNING),
	}
	now := all[0].GetStartTime().AsTime().Add(time.Minute)
	var out bytes.Buffer
	require.NoError(t, (&CopiesListCommand{}).write(&out, all, now))
	lines := strings.Split(out.String(), "\n")
	require.Equal(t, []string{"2026-11-26T12:00:00Z", "Failed", "SourceStalled", "1.5s", "s3_us-west-2/a/b"}, strings.Fields(lines[1]))
	require.Equal(t, []string{"2026-11-26T12:00:00Z", "Running", "-", "1m0s", "s3_us-west-2/a/\uFFFD[2J"}, strings.Fields(lines[2]))
	require.Len(t, lines, 4)
	out.Reset()
	require.NoError(t, (&CopiesListCommand{JSON: true}).write(&out, all, now))
	require.JSONEq(t, `{"workflowId":"s3_us-west-2/a/b","runId":"run","status":"Failed","errorClass":"SourceStalled",`+
		`"startTime":"2026-11-26T12:00:00Z","took":"1.5s"}`, strings.Split(out.String(), "\n")[0])
	out.Reset()
	require.NoError(t, (&CopiesListCommand{}).write(&out, nil, now))
	require.Equal(t, "no copies\n", out.String())
	out.Reset()
	summarize(&out, append(all, all[0]), true)
	require.Equal(t, "3 copies: 1 Running, 2 SourceStalled\nThere are more: raise --limit.\n", out.String())
}

func TestWorkflowIDOfAURL(t *testing.T) {
	f := objectFlags{Service: "s3", Region: "us-west-2"}
	a, err := f.source("https://EXAMPLE.com:443/a.zip?token=" + secret)
	require.NoError(t, err)
	b, err := f.source("https://example.com/a.zip?token=" + secret)
	require.NoError(t, err)
	require.Equal(t, b, a, "the canonical URL counts")
	require.Regexp(t, `^s3_us-west-2/example\.com/a\.zip/[0-9a-f]{16}$`, workflows.ID(a))
	other, err := f.source("https://example.com/a.zip?token=other")
	require.NoError(t, err)
	require.NotEqual(t, a, other)
	_, err = f.source("ftp://example.com/" + secret)
	require.Error(t, err)
	require.NotContains(t, err.Error(), secret)
}

func TestShowNeedsARegionForAURL(t *testing.T) {
	require.EqualError(t, (&CopiesShowCommand{Copy: "https://example.com/"}).Validate(), "--region is missing: a URL has a copy in each region")
	require.NoError(t, (&CopiesShowCommand{Copy: "https://example.com/", Region: "us-west-2"}).Validate())
	require.NoError(t, (&CopiesShowCommand{Copy: "s3_us-west-2/a/b/c"}).Validate())
}

// TestHostName compares names of hosts with those of canonical URLs.
func TestHostName(t *testing.T) {
	for host, want := range map[string]string{
		"Example.COM": "example.com", "example.com.": "example.com", "example.com:443": "example.com", "example.com:80": "example.com",
		"example.com:8080": "example.com:8080", "[::0001]:443": "[::1]",
	} {
		got, err := hostName(host)
		require.NoError(t, err, host)
		require.Equal(t, want, got, host)
	}
	for _, host := range []string{"https://example.com", "example.com/a", "*.example.com", "a b", "user@example.com", ""} {
		_, err := hostName(host)
		require.Error(t, err, host)
	}
}

// TestFailureIsDecrypted shows a failure that a worker has encrypted, with and without its key.
func TestFailureIsDecrypted(t *testing.T) {
	key := "k=" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	payloads, err := codec.New([]string{key}, func(error) {})
	require.NoError(t, err)
	other, err := codec.New(nil, func(error) {})
	require.NoError(t, err)
	f := payloads.FailureConverter().ErrorToFailure(temporal.NewApplicationError("the disk is on fire", "StorageFailed"))
	require.NotContains(t, f.String(), "fire")
	require.Equal(t, "the disk is on fire", (&mirror{payloads: payloads.DataConverter()}).failure(proto.CloneOf(f)))
	require.Equal(t, "Encoded failure", (&mirror{payloads: other.DataConverter()}).failure(proto.CloneOf(f)), "control")
}

// TestFailureNamesItsRequest shows failures that name the request that failed, and one that does not.
func TestFailureNamesItsRequest(t *testing.T) {
	m := &mirror{payloads: converter.GetDefaultDataConverter()}
	for want, details := range map[string]any{
		"no":                                   activities.Failure{Class: "BadHTTPStatus", Status: 404},
		"no, for GET at host cdn.example:8080": activities.Failure{Method: "GET", Host: "cdn.example:8080"},
		"no, for GET at host a\uFFFDb":         activities.Failure{Method: "GET", Host: "a\x1bb"},
		"no ":                                  "of an operator",
	} {
		err := temporal.NewApplicationError("no", "BadHTTPStatus", details)
		f := temporal.GetDefaultFailureConverter().ErrorToFailure(err)
		require.Equal(t, strings.TrimSpace(want), m.failure(f))
	}
}

// TestTooSmallIsNoCopy has a run end without a copy.
func TestTooSmallIsNoCopy(t *testing.T) {
	m := &mirror{payloads: converter.GetDefaultDataConverter()}
	for want, r := range map[bool]workflows.CopyObjectResult{true: {Copied: true}, false: {TooSmall: &activities.TooSmall{Size: 1}}} {
		p, err := m.payloads.ToPayloads(r)
		require.NoError(t, err)
		got := m.result(func(string, string) {}, &history.HistoryEvent{Attributes: &history.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
			WorkflowExecutionCompletedEventAttributes: &history.WorkflowExecutionCompletedEventAttributes{Result: p},
		}})
		require.Equal(t, want, got)
	}
}
