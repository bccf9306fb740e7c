package system

import (
	"context"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/deploy/page"
	"github.com/cloud-mirror/cloud-mirror/deploy/system/calls"
	"github.com/cloud-mirror/cloud-mirror/deploy/system/tracing"
	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
	"github.com/cloud-mirror/cloud-mirror/frontend/upstream"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
	"github.com/cloud-mirror/cloud-mirror/worker"
	"github.com/cloud-mirror/cloud-mirror/worker/codec"
)

// RunWorker makes copies and starts workflows, each if cfg says so, until ctx ends.
func RunWorker(ctx context.Context, cfg config.Config, log zerolog.Logger, version string) error {
	deployment, err := worker.DeploymentVersion(os.Getenv)
	if err != nil {
		return err
	}
	traces, err := tracing.Open(ctx, "cloud-mirror-worker", version, log)
	if err != nil {
		return err
	}
	defer traces.Close(ctx)
	s, err := open(ctx, cfg, 0, calls.Worker(cache.Commands(), origin.Operations()), traces, log)
	if err != nil {
		return err
	}
	defer s.close()
	registerBuild(s.registry, version)
	sealer, err := newSealer(cfg)
	if err != nil {
		return err
	}
	payloads, err := s.newCodec()
	if err != nil {
		return err
	}
	handler, err := worker.TemporalMetrics(s.registry)
	if err != nil {
		return err
	}
	traced, err := worker.Tracing(traces.Tracer())
	if err != nil {
		return err
	}
	temporal, namespace, err := worker.Dial(ctx, payloads, handler, log, traced)
	if err != nil {
		return err
	}
	defer temporal.Close()
	admin, err := listen(ctx, "worker.admin_listen", cfg.Worker.AdminListen)
	if err != nil {
		return err
	}
	decoder, err := s.newCodecServer(ctx, payloads, namespace)
	if err != nil {
		return err
	}
	setWorkerGC(cfg)
	logPolicy(cfg, log)
	upstreams, err := upstream.New(cfg.Upstreams())
	if err != nil {
		return err
	}
	metrics := worker.NewMetrics(s.registry, s.copied(), worker.Upstreams{Names: upstreams.Names(), Of: upstreams.Name})
	o := worker.Options{
		Log:       log,
		Namespace: namespace,
		Activities: s.activities(activities.Activities{
			Owners:   worker.Owners{Temporal: temporal, Namespace: namespace},
			Sealer:   sealer,
			Observer: metrics,

			AuditPurge: cfg.Mirror.AuditPurge,
		}),
		Concurrency:       cfg.Worker.Concurrency,
		LargeSlots:        cfg.LargeSlots(),
		Queue:             s.queue,
		Receivers:         cfg.Worker.Receivers,
		Intake:            cfg.Worker.Intake,
		VisibilityTimeout: cfg.SQS.VisibilityTimeout,
		CheckEvery:        cfg.Worker.CheckEvery,
		Metrics:           metrics,
		Version:           version,
		Deployment:        deployment,
	}
	for pool, a := range o.Activities {
		metrics.Watch(pool, "small", a.Copier.Slots)
		metrics.Watch(pool, "large", a.Copier.LargeSlots)
	}
	for _, a := range o.Activities { // All pools share the memory.
		metrics.WatchMemory("small", a.Copier.SmallMemory)
		metrics.WatchMemory("large", a.Copier.Memory)
		break
	}
	if err := copier.RemoveSpooled(cfg.Worker.SpoolDir); err != nil {
		log.Warn().Err(err).Msg("spool files of an earlier worker remain")
	}
	watch := func(context.Context) error { return nil }
	if cfg.Worker.Bridge {
		watcher := cache.NewWatcher(func(bool) {}) // A worker's calls of redis report that it is down.
		bypasses := s.bypasses()
		watch = func(ctx context.Context) error {
			var running sync.WaitGroup
			running.Go(func() { watcher.Run(ctx, s.cache) })
			running.Go(func() { bypasses.Run(ctx, s.cache) })
			running.Wait()
			return nil
		}
		o.Bridge = s.bridge(temporal, sealer, payloads, watcher)
		o.Bridge.Lazy = deployment.BuildID != ""
		o.Bridge.Bypassed = func(pool, url string) bool { return bypasses.Covers(pool, url, time.Now()) }
		metrics.BridgePools(s.ids())
		o.Bridge.Stuck = func(ctx context.Context, pool, id string) {
			metrics.Stuck(pool)
			requestid.Log(ctx, log.Error()).Str("pool", pool).Str("workflow_id", id).Msg("run terminated: no worker could continue it; another run makes the copy")
		}
		o.Backlogs = &worker.Backlogs{
			Temporal: temporal.WorkflowService(), Namespace: namespace, Pools: s.ids(), Publish: s.cache.PutBacklog,
			Metrics: metrics, Log: log,
		}
	}
	log.Info().Str("version", version).Str("deployment", deployment.DeploymentName).Str("build", deployment.BuildID).
		Int("pid", os.Getpid()).Stringer("admin", admin.Addr()).Msg("worker starts")
	running := worker.New(temporal, o)
	people := s.page(temporal, namespace, version)
	defer func() { log.Info().Msg("worker stopped") }()
	return runAll(ctx,
		func(ctx context.Context) error { return runAdmin(ctx, admin, s.registry, running.Ready, people) },
		running.Run,
		decoder.run,
		watch,
	)
}

// page returns the page for people.
func (s *parts) page(temporal page.Temporal, namespace, version string) http.Handler {
	o := page.Options{
		Temporal: temporal, Namespace: namespace, Cache: s.cache, Own: s.registry,
		Admin: s.cfg.Admin, Prices: s.cfg.Prices, S3: s.cfg.S3, Version: version, Now: time.Now,
	}
	if s.cfg.Worker.Bridge {
		o.Depths = s.queue.Depths
	}
	for i, p := range s.Pools {
		o.Pools = append(o.Pools, page.Pool{Pool: p, Space: s.cfg.Space(p), Bucket: s.Buckets[i]})
	}
	return page.New(o)
}

// copied returns the ids of the pools that this worker copies into.
func (s *parts) copied() (ids []string) {
	for _, p := range s.Pools {
		if s.cfg.Copies(p.ID()) {
			ids = append(ids, p.ID())
		}
	}
	return ids
}

// activities returns the activities of each pool that this worker copies into, by pool id. They
// share the fields of shared.
func (s *parts) activities(shared activities.Activities) map[string]*activities.Activities {
	all := map[string]*activities.Activities{}
	copiers := s.Copiers()
	for i, p := range s.Pools {
		if !s.cfg.Copies(p.ID()) {
			continue
		}
		a := shared
		a.Pool, a.Bucket, a.Copier, a.Cache, a.Space = p, s.Buckets[i], copiers[i], s.cache, s.cfg.Space(p)
		a.Rules, a.Now, a.Source = s.cfg.Rules(), time.Now, s.Origin
		all[p.ID()] = &a
	}
	return all
}

func (s *parts) bridge(
	temporal worker.Starter, sealer *seal.Sealer, payloads *codec.Codec, watcher *cache.Watcher,
) *worker.Bridge {
	b := &worker.Bridge{
		Temporal: temporal, Sealer: sealer, Payloads: payloads.DataConverter(), Admit: s.Origin.Admit, Pools: map[string]storage.Pool{},
		Spaces: map[string]cache.Space{}, Entries: s.cache, Changes: watcher, Now: time.Now,
	}
	b.Waiting = func(ctx context.Context, err error) {
		requestid.Log(ctx, s.log.Warn()).Err(err).Msg("Temporal did not accept a copy request; retrying")
	}
	b.Joined = func(ctx context.Context, pool, id string) {
		requestid.Log(ctx, s.log.Info()).Str("pool", pool).Str("workflow_id", id).Msg("copy request joined a running copy")
	}
	for _, p := range s.Pools {
		b.Pools[p.ID()], b.Spaces[p.ID()] = p, s.cfg.Space(p)
	}
	return b
}
