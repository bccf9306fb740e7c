package operate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// anyStatus is the class of a source's status. A status may follow it.
const anyStatus = string(origin.ClassBadHTTPStatus)

// filter chooses runs of copies.
type filter struct {
	Service string          `placeholder:"NAME" help:"Only of pools of this service."`
	Region  string          `short:"r" placeholder:"NAME" help:"Only of pools in this region, e.g. us-west-2."`
	Host    string          `placeholder:"HOST[:PORT]" help:"Only from this source host."`
	Class   string          `placeholder:"NAME" help:"Only with this error class, e.g. SourceUnreachable or BadHTTPStatus-503. BadHTTPStatus has every status."`
	Since   *model.Duration `placeholder:"1h" help:"Only runs that started within this time."`
	Limit   int             `default:"1000" help:"Objects at most, the newest first."`
}

// statusSuffix may follow the class BadHTTPStatus.
var statusSuffix = regexp.MustCompile(`^-[1-5]\d\d$`)

// validate returns an error for a limit or a class that matches nothing.
func (f *filter) validate() error {
	if f.Limit < 1 {
		return fmt.Errorf("--limit is %d, want at least 1", f.Limit)
	}
	class := f.Class
	if suffix, ok := strings.CutPrefix(class, anyStatus); ok && statusSuffix.MatchString(suffix) {
		class = anyStatus
	}
	if class != "" && !slices.Contains(cache.Classes(), class) {
		return fmt.Errorf("--class is %q, want an error class, e.g. SourceStalled or %s-503", f.Class, anyStatus)
	}
	if slices.Contains(classesOfNoRun(), class) {
		return fmt.Errorf("--class is %s, which no run ends with: see its row in OPERATORS.md", f.Class)
	}
	return nil
}

// classesOfNoRun are the classes of entries and attempts that no run ends with.
func classesOfNoRun() []string {
	return []string{
		activities.ClassTerminated, activities.ClassCache, activities.ClassHandover, activities.ClassPaused, activities.ClassReset,
		activities.ClassEnded, string(origin.ClassRangeRefused), string(origin.ClassBusy),
	}
}

// matches reports whether a run has one of the statuses, or any if there are none, and the filter's
// class. Only these two differ between the runs of an object.
func (f *filter) matches(w *workflow.WorkflowExecutionInfo, statuses []string) bool {
	class := keyword(w, workflows.ErrorClassAttribute())
	return (len(statuses) == 0 || slices.Contains(statuses, w.GetStatus().String())) &&
		(f.Class == "" || f.Class == class || f.Class == anyStatus && strings.HasPrefix(class, anyStatus))
}

// query returns the visibility query of the filter.
func (f *filter) query(statuses []string, now time.Time) (string, error) {
	if err := f.validate(); err != nil {
		return "", err
	}
	host := f.Host
	if host != "" {
		var err error
		if host, err = hostName(host); err != nil {
			return "", err
		}
	}
	terms := []string{`WorkflowType="CopyObject"`}
	for _, term := range []struct{ flag, attribute, value string }{
		{"--service", workflows.ServiceAttribute().GetName(), f.Service},
		{"--region", workflows.RegionAttribute().GetName(), f.Region},
		{"--host", workflows.HostAttribute().GetName(), host},
		{"--class", workflows.ErrorClassAttribute().GetName(), f.Class},
	} {
		if strings.ContainsAny(term.value, "\"'\\") {
			return "", fmt.Errorf("%s has a quote or a backslash", term.flag)
		}
		switch term.value {
		case "":
		case anyStatus:
			terms = append(terms, fmt.Sprintf("%s STARTS_WITH %q", term.attribute, term.value))
		default:
			terms = append(terms, fmt.Sprintf("%s=%q", term.attribute, term.value))
		}
	}
	var any []string
	for _, s := range statuses {
		any = append(any, fmt.Sprintf("ExecutionStatus=%q", s))
	}
	if len(any) > 0 {
		terms = append(terms, "("+strings.Join(any, " OR ")+")")
	}
	if f.Since != nil {
		terms = append(terms, fmt.Sprintf("StartTime>%q", now.Add(-time.Duration(*f.Since)).UTC().Format(time.RFC3339Nano)))
	}
	return strings.Join(terms, " AND "), nil
}

// runs lists the runs that match a query, the newest first.
func (m *mirror) runs(ctx context.Context, query string) iter.Seq2[*workflow.WorkflowExecutionInfo, error] {
	return func(yield func(*workflow.WorkflowExecutionInfo, error) bool) {
		var page []byte
		for {
			out, err := m.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
				Namespace: m.namespace, Query: query, PageSize: 1000, NextPageToken: page,
			})
			if err != nil {
				yield(nil, fmt.Errorf("list workflows: %w", err))
				return
			}
			for _, w := range out.GetExecutions() {
				if !yield(w, nil) {
					return
				}
			}
			if page = out.GetNextPageToken(); len(page) == 0 {
				return
			}
		}
	}
}

// objects returns the latest run of each object if that run matches, up to the limit. more is set
// if there are more objects.
func (m *mirror) objects(ctx context.Context, f filter, statuses []string) (all []*workflow.WorkflowExecutionInfo, more bool, err error) {
	all, more, err = m.matching(ctx, f, statuses)
	if err != nil || len(statuses) == 0 && f.Class == "" {
		return all, more, err // The newest run that matches is the latest.
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(describers)
	for i, w := range all {
		group.Go(func() error {
			out, err := m.temporal.DescribeWorkflowExecution(ctx, w.GetExecution().GetWorkflowId(), "")
			if _, none := errors.AsType[*serviceerror.NotFound](err); none {
				all[i] = nil
				return nil
			}
			if err != nil {
				return fmt.Errorf("describe workflow: %w", err)
			}
			if latest := out.GetWorkflowExecutionInfo(); f.matches(latest, statuses) {
				all[i] = latest
			} else {
				all[i] = nil
			}
			return nil
		})
	}
	err = group.Wait()
	return slices.DeleteFunc(all, func(w *workflow.WorkflowExecutionInfo) bool { return w == nil }), more, err
}

// describers is how many runs are described at the same time.
const describers = 16

// matching returns the newest matching run of each object, up to the limit. more is set if there are
// more objects.
func (m *mirror) matching(ctx context.Context, f filter, statuses []string) (all []*workflow.WorkflowExecutionInfo, more bool, err error) {
	query, err := f.query(statuses, time.Now())
	if err != nil {
		return nil, false, err
	}
	seen := map[string]bool{}
	for w, err := range m.runs(ctx, query) {
		id := w.GetExecution().GetWorkflowId()
		switch {
		case err != nil:
			return nil, false, err
		case seen[id]:
			continue
		case len(all) == f.Limit:
			return all, true, nil
		}
		seen[id] = true
		all = append(all, w)
	}
	return all, false, nil
}
