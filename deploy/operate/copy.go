package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/deploy/system/transfer"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
	"github.com/cloud-mirror/cloud-mirror/worker"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// pollEvery is the time between two looks at a copy that a command waits for.
const pollEvery = 500 * time.Millisecond

// CopyCommand copies an object and waits for the end.
type CopyCommand struct {
	configFlag
	objectFlags
	Object string        `arg:"" name:"url" help:"URL of the object at its source."`
	Wait   time.Duration `default:"1h" help:"Time to wait at most. The copy goes on after it."`
	Force  bool          `help:"Copy the object also while its host or pool is switched off."`
}

// Help returns an example.
func (CopyCommand) Help() string {
	return "Example:\n\n  cloud-mirror copy --region us-west-2 https://example.com/a.zip\n\n" +
		"A copy that runs already is waited for. Ctrl-C ends the wait, and not the copy."
}

// Run starts the copy, prints its progress and its end. A copy that fails is an error.
func (c *CopyCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(m *mirror) error {
		in, err := m.newInput(ctx, c.Service, c.Region, c.Object)
		if err != nil {
			return err
		}
		if err := m.allowed(ctx, in.Source, c.Force); err != nil {
			return err
		}
		id, err := m.request(ctx, in)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, c.Wait)
		defer cancel()
		return m.await(ctx, os.Stdout, id)
	})
}

// request starts a copy, and returns its workflow id. If the copy is running, request asks that run for
// the object, of any size.
func (m *mirror) request(ctx context.Context, in workflows.CopyObjectInput) (id string, err error) {
	for {
		running, err := m.start(ctx, in)
		if err != nil {
			return "", err
		}
		if running == nil {
			return workflows.ID(in.Source), nil
		}
		id := running.GetWorkflowId()
		err = m.temporal.SignalWorkflow(ctx, id, running.GetRunId(), workflows.RequestSignal, workflows.Request{})
		if _, closed := errors.AsType[*serviceerror.NotFound](err); closed {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("signal workflow: %w", err)
		}
		return id, nil
	}
}

// start starts a copy. If it is running, start returns that run, which an earlier build may have
// started.
func (m *mirror) start(ctx context.Context, in workflows.CopyObjectInput) (other *common.WorkflowExecution, err error) {
	out, err := m.temporal.DescribeWorkflowExecution(ctx, workflows.EarlierID(in.Source), "")
	if _, none := errors.AsType[*serviceerror.NotFound](err); err != nil && !none {
		return nil, fmt.Errorf("describe workflow: %w", err)
	}
	if w := out.GetWorkflowExecutionInfo(); running(w) {
		return w.GetExecution(), nil
	}
	err = worker.StartCopy(ctx, m.temporal, in, false)
	if open, ok := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); ok {
		return &common.WorkflowExecution{WorkflowId: workflows.ID(in.Source), RunId: open.RunId}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("start workflow: %w", err)
	}
	return nil, nil //nolint:nilnil // Documented
}

// newInput returns the input of a copy. It has the checks of a worker.
func (m *mirror) newInput(ctx context.Context, service, region, url string) (in workflows.CopyObjectInput, err error) {
	pool, err := m.pool(service, region)
	if err != nil {
		return in, err
	}
	aws, err := m.cfg.AWS(ctx, m.cfg.Logger(os.Stderr))
	if err != nil {
		return in, fmt.Errorf("AWS configuration: %w", err)
	}
	ends, err := transfer.Open(m.cfg, aws, transfer.Options{})
	if err != nil {
		return in, err
	}
	if url, err = ends.Origin.Admit(url); err != nil {
		return in, err
	}
	sealer, err := seal.New(m.cfg.Source.QueryKeys)
	if err != nil {
		return in, fmt.Errorf("source.query_keys: %w", err)
	}
	in.Source = sealer.Seal(storage.Object{Service: service, Region: region, URL: url})
	in.Source.Bucket = m.cfg.Space(pool).Bucket()
	return in, nil
}

// await prints the progress of a copy until it ends, and then how.
func (m *mirror) await(ctx context.Context, w io.Writer, id string) error {
	fmt.Fprintln(w, "workflow "+printable(id))
	for printed := ""; ; {
		out, err := m.temporal.DescribeWorkflowExecution(ctx, id, "")
		if ctx.Err() != nil {
			return fmt.Errorf("the wait ended, and the copy goes on: %w", context.Cause(ctx))
		}
		if err != nil {
			return fmt.Errorf("describe workflow: %w", err)
		}
		if !running(out.GetWorkflowExecutionInfo()) {
			copied, err := m.show(ctx, w, id)
			if err == nil && !copied {
				err = errors.New("there is no copy")
			}
			return err
		}
		for _, a := range out.GetPendingActivities() {
			line := fmt.Sprintf("%s, attempt %d", a.GetActivityType().GetName(), a.GetAttempt())
			var p activities.Progress
			if d := a.GetHeartbeatDetails(); d != nil && m.payloads.FromPayloads(d, &p) == nil && p.Now != "" {
				line += ": " + printable(p.Now)
			}
			if f := a.GetLastFailure(); f != nil {
				line += ", after: " + m.failure(f)
			}
			if line != printed {
				printed = line
				fmt.Fprintln(w, line)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(pollEvery):
		}
	}
}
