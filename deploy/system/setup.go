package system

import (
	"context"
	"errors"
	"io"

	"github.com/rs/zerolog"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/deploy/setup"
	"github.com/cloud-mirror/cloud-mirror/deploy/system/tracing"
	"github.com/cloud-mirror/cloud-mirror/worker"
	"github.com/cloud-mirror/cloud-mirror/worker/schedules"
)

// RunSetup creates the buckets, the queues, and Temporal's search attributes and schedules. It
// writes a line to w for each thing that it did. With dryRun it changes nothing and writes the
// lines that it would.
func RunSetup(ctx context.Context, cfg config.Config, log zerolog.Logger, w io.Writer, dryRun bool) error {
	s, err := open(ctx, cfg, 0, nil, &tracing.Tracing{}, log)
	if err != nil {
		return err
	}
	defer s.close()
	var steps []setup.Step
	for _, b := range s.Buckets {
		steps = append(steps, b.Setup)
	}
	return setup.Run(ctx, w, dryRun, append(steps, s.setupQueue, s.setupTemporal)...)
}

func (s *parts) setupQueue(ctx context.Context, dryRun bool) ([]string, error) {
	return s.queue.Setup(ctx, s.cfg.SQS.VisibilityTimeout, s.cfg.SQS.MaxReceives, dryRun)
}

func (s *parts) setupTemporal(ctx context.Context, dryRun bool) ([]string, error) {
	payloads, err := s.newCodec() // For the inputs of schedules
	if err != nil {
		return nil, err
	}
	temporal, namespace, err := worker.Dial(ctx, payloads, nil, s.log)
	if err != nil {
		return nil, err
	}
	defer temporal.Close()
	lines, failed := worker.SetupAttributes(ctx, temporal, namespace, dryRun)
	swept, err := schedules.Setup(ctx, schedules.Options{
		Client: temporal.ScheduleClient(), Converter: payloads.DataConverter(), Deployment: s.cfg.SQS.Queue, Pools: s.ids(),
	}, dryRun)
	return append(lines, swept...), errors.Join(failed, err)
}
