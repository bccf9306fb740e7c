// Command cloud-mirror redirects clients to a copy of an immutable object in their own region, and makes the copy the
// first time somebody asks. This file wires the rooms together and does nothing else.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/deploy/setup"
	"github.com/cloud-mirror/cloud-mirror/frontend"
	"github.com/cloud-mirror/cloud-mirror/frontend/client"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/worker"
)

// version is set by the linker in releases.
var version string

type cli struct {
	Frontend frontendCmd         `cmd:"" help:"Serve redirects to clients."`
	Worker   workerCmd           `cmd:"" help:"Make copies: the Temporal worker and the SQS bridge."`
	Setup    setupCmd            `cmd:"" help:"Make buckets, queues and search attributes; can be repeated."`
	URL      client.URLCommand   `cmd:"" name:"url" help:"Print the redirect URL of an object."`
	Get      client.GetCommand   `cmd:"" help:"Follow a redirect and save the object."`
	Purge    client.PurgeCommand `cmd:"" help:"Forget an object and delete its copy."`
	Version  versionCmd          `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)

	var c cli
	command := kong.Parse(&c,
		kong.Name("cloud-mirror"),
		kong.Description("A copy of every object in the caller's own region, made the first time somebody asks."),
		kong.ShortUsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err := command.Run(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintln(os.Stderr, "cloud-mirror: "+line)
		}
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// configured is what the commands have in common that run a part of the system.
type configured struct {
	Config string `short:"c" env:"CLOUD_MIRROR_CONFIG" type:"path" placeholder:"FILE" help:"Configuration file (YAML); CLOUD_MIRROR_* variables override it."`
}

// load reads the configuration and makes the logger, for the libraries' own messages as well.
func (c *configured) load() (config.Config, zerolog.Logger, error) {
	cfg, err := config.Load(c.Config, os.Environ())
	if err != nil && c.Config == "" {
		err = fmt.Errorf("%w (no file was given with --config or CLOUD_MIRROR_CONFIG)", err)
	}
	if err != nil {
		return cfg, zerolog.Nop(), err
	}
	log := cfg.Logger(os.Stderr)
	redis.SetLogger(redisLogger{log})
	return cfg, log, nil
}

// redisLogger keeps what the redis client says for debugging: that redis is away is said once, by the watcher.
type redisLogger struct{ log zerolog.Logger }

func (l redisLogger) Printf(_ context.Context, format string, args ...any) {
	l.log.Debug().Str("library", "redis").Msgf(format, args...)
}

type frontendCmd struct{ configured }

// frontendGC is GOGC of front ends unless the environment says something: most of them keep less than the requests of a
// second leave behind. The memory limit sees to those that keep more.
const frontendGC = 1000

func (frontendCmd) Help() string {
	return "Example:\n\n  cloud-mirror frontend --config cloud-mirror.yaml"
}

func (c *frontendCmd) Run(ctx context.Context) error {
	cfg, log, sys, err := c.open(ctx, hurried)
	if err != nil {
		return err
	}
	defer sys.close()
	host, _ := os.Hostname() // only a name
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(frontendGC)
		debug.SetMemoryLimit(cfg.FrontendMemoryLimit())
	}
	layer := sys.layer(cfg, log)
	f := cfg.FlightOptions()
	f.Pools, f.Cache, f.Watcher, f.Queue, f.Owner = sys.frontendPools(), layer, sys.watcher, sys.queue, fmt.Sprintf("%s/%d", host, os.Getpid())
	f.Breakers, f.Log, f.Registry = sys.breakers, log, sys.registry
	o := cfg.FrontendOptions()
	o.Flights, o.Entries, o.Admit = flight.NewGroup(f), layer, sys.origin.Admit
	o.Log, o.Registry = log, sys.registry
	locator, err := sys.locator(ctx, cfg, &o)
	if err != nil {
		return err
	}
	server := frontend.New(o)
	clients, err := listen(ctx, cfg.Frontend.Listen)
	if err != nil {
		return fmt.Errorf("frontend.listen: %w", err)
	}
	admin, err := listen(ctx, cfg.Frontend.AdminListen)
	if err != nil {
		return fmt.Errorf("frontend.admin_listen: %w", err)
	}
	log.Info().Str("version", buildVersion()).Int("pid", os.Getpid()).Stringer("listen", clients.Addr()).Stringer("admin", admin.Addr()).Msg("frontend started")
	defer log.Info().Msg("frontend stopped")
	return together(ctx,
		func(ctx context.Context) error { return frontend.RunAdmin(ctx, admin, sys.registry, server.Ready) },
		func(ctx context.Context) error { return server.Run(ctx, clients) },
		func(ctx context.Context) error { sys.watcher.Run(ctx, sys.cache); return nil },
		func(ctx context.Context) error { layer.Run(ctx); return nil },
		func(ctx context.Context) error { locator(ctx); return nil },
	)
}

type workerCmd struct {
	configured
	Pool   []string `placeholder:"ID" help:"Copy into this pool (repeatable), e.g. s3_us-west-2; all if none is given."`
	Copy   *bool    `negatable:"" help:"Make copies. On unless the configuration says otherwise."`
	Bridge *bool    `negatable:"" help:"Start workflows for the queue's messages. On unless the configuration says otherwise."`
}

func (workerCmd) Help() string {
	return "Examples:\n\n  cloud-mirror worker --config cloud-mirror.yaml --pool s3_us-west-2\n" +
		"  cloud-mirror worker --config cloud-mirror.yaml --no-copy"
}

func (w *workerCmd) Run(ctx context.Context) error {
	cfg, log, sys, err := w.open(ctx, patient)
	if err != nil {
		return err
	}
	defer sys.close()
	if err := cfg.SetWorker(w.Pool, w.Copy, w.Bridge); err != nil {
		return err
	}
	sealer, err := activities.NewSealer(cfg.Worker.QueryKeys)
	if err != nil {
		return fmt.Errorf("worker.query_keys: %w", err)
	}
	temporal, namespace, err := worker.Dial(ctx, log)
	if err != nil {
		return err
	}
	defer temporal.Close()
	admin, err := listen(ctx, cfg.Worker.AdminListen)
	if err != nil {
		return fmt.Errorf("worker.admin_listen: %w", err)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(cfg.MemoryLimit())
	}
	metrics := worker.NewMetrics(sys.registry)
	opts := worker.Options{
		Log:               log,
		Namespace:         namespace,
		Activities:        sys.copiers(cfg, sealer, metrics, worker.Owners{Temporal: temporal, Namespace: namespace}),
		Concurrency:       cfg.Worker.Concurrency,
		LargeSlots:        cfg.LargeSlots(),
		Queue:             sys.queue,
		Receivers:         cfg.Worker.Receivers,
		VisibilityTimeout: cfg.SQS.VisibilityTimeout,
		Metrics:           metrics,
	}
	if cfg.Worker.Bridge {
		opts.Bridge = sys.bridge(temporal, sealer, log)
	}
	log.Info().Str("version", buildVersion()).Int("pid", os.Getpid()).Stringer("admin", admin.Addr()).Msg("worker starts")
	running := worker.New(temporal, opts)
	defer log.Info().Msg("worker stopped")
	return together(ctx,
		func(ctx context.Context) error { return frontend.RunAdmin(ctx, admin, sys.registry, running.Ready) },
		running.Run,
	)
}

type setupCmd struct {
	configured
	DryRun bool `help:"Change nothing, say what would be done."`
}

func (setupCmd) Help() string {
	return "Example:\n\n  cloud-mirror setup --config cloud-mirror.yaml --dry-run"
}

func (s *setupCmd) Run(ctx context.Context) error {
	cfg, log, sys, err := s.open(ctx, patient)
	if err != nil {
		return err
	}
	defer sys.close()
	var steps []setup.Step
	for _, b := range sys.buckets {
		steps = append(steps, b.Setup)
	}
	steps = append(steps,
		func(ctx context.Context, dryRun bool) ([]string, error) {
			return sys.queue.Setup(ctx, cfg.SQS.VisibilityTimeout, cfg.SQS.MaxReceives, dryRun)
		},
		func(ctx context.Context, dryRun bool) ([]string, error) {
			temporal, namespace, err := worker.Dial(ctx, log)
			if err != nil {
				return nil, err
			}
			defer temporal.Close()
			lines, err := worker.SetupAttributes(ctx, temporal, namespace, dryRun)
			if err != nil {
				return lines, err
			}
			swept, err := worker.SetupSweeps(ctx, temporal.ScheduleClient(), sys.poolIDs(), dryRun)
			return append(lines, swept...), err
		},
	)
	return setup.Run(ctx, os.Stdout, s.DryRun, steps...)
}

type versionCmd struct{}

func (versionCmd) Help() string { return "Example:\n\n  cloud-mirror version" }

func (versionCmd) Run() error {
	_, err := fmt.Println("cloud-mirror", buildVersion())
	return err
}

func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); version == "" && ok {
		return info.Main.Version
	}
	return version
}

// system is what front end, worker and setup share.
type system struct {
	registry *prometheus.Registry
	pools    []storage.Pool
	buckets  []*storage.Bucket // in the order of pools
	origin   *origin.Client
	cache    *cache.Redis
	watcher  *cache.Watcher
	queue    *queue.Queue
	breakers *flight.Breakers
}

// How redis is asked: by front ends in a hurry, since a client waits.
const hurried, patient = true, false

// open reads the configuration and opens the system.
func (c *configured) open(ctx context.Context, hurry bool) (config.Config, zerolog.Logger, *system, error) {
	cfg, log, err := c.load()
	if err != nil {
		return cfg, log, nil, err
	}
	sys, err := openSystem(ctx, cfg, hurry, log)
	return cfg, log, sys, err
}

// openSystem does no I/O beyond what the AWS SDK does to find its configuration.
func openSystem(ctx context.Context, cfg config.Config, hurry bool, log zerolog.Logger) (*system, error) {
	aws, err := cfg.AWS(ctx, log)
	if err != nil {
		return nil, fmt.Errorf("AWS configuration: %w", err)
	}
	sys := &system{registry: prometheus.NewRegistry(), pools: cfg.StoragePools(), watcher: cache.NewWatcher(func(up bool) {
		if up {
			log.Info().Msg("redis answers")
		} else {
			log.Warn().Msg("redis does not answer; clients are redirected after a look into the bucket")
		}
	})}
	sys.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	sys.breakers = flight.NewBreakers(sys.registry, log)
	undecodable := promauto.With(sys.registry).NewCounter(prometheus.CounterOpts{
		Name: "cloud_mirror_undecodable_entries_total",
		Help: "Cache entries that could not be decoded and were removed.",
	})
	if sys.origin, err = origin.New(cfg.Origin()); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	o := cache.Options{Undecodable: undecodable.Inc}
	if hurry {
		o.Timeout, o.OnBreaker = cfg.Redis.Timeout, sys.breakers.Changed("redis")
	}
	if sys.cache, err = cache.Open(cfg.Redis.URL, o); err != nil {
		return nil, fmt.Errorf("redis.url: %w", err)
	}
	sys.queue = queue.Open(aws, cfg.SQS.Region, cfg.SQS.Endpoint, cfg.SQS.Queue)
	for _, p := range sys.pools {
		sys.buckets = append(sys.buckets, storage.Open(aws, p))
	}
	return sys, nil
}

func (s *system) poolIDs() (ids []string) {
	for _, p := range s.pools {
		ids = append(ids, p.ID())
	}
	return ids
}

// locator has the front end find out where clients are, if that is configured, and returns what keeps it up to date. A list
// in a file must be there; one that is downloaded is waited for by nobody.
func (s *system) locator(ctx context.Context, cfg config.Config, o *frontend.Options) (run func(context.Context), err error) {
	l, err := cfg.Locator(func(err error) { o.Log.Warn().Err(err).Msg("region.ip_ranges") })
	if l == nil || err != nil {
		return func(context.Context) {}, err
	}
	o.RegionOf = l.Locate
	if _, err := os.Stat(cfg.Region.IPRanges); err == nil {
		if err := l.Load(ctx); err != nil {
			return nil, fmt.Errorf("region.ip_ranges: %w", err)
		}
	}
	return l.Run, nil
}

// layer is what a front end keeps of redis in memory.
func (s *system) layer(cfg config.Config, log zerolog.Logger) *cache.NearCache {
	o := cfg.NearCache()
	o.OnChange = func(up bool, err error) {
		if up {
			log.Info().Msg("redis announces changes, redirects are kept in memory")
		} else {
			log.Warn().Err(err).Msg("redis does not announce changes, every redirect reads it")
		}
	}
	layer := cache.NewNearCache(s.cache, o)
	promauto.With(s.registry).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "cloud_mirror_entries_in_memory",
		Help: "Cache entries that are kept in memory.",
	}, func() float64 { return float64(layer.Len()) })
	return layer
}

func (s *system) close() { _ = s.cache.Close() }

func (s *system) frontendPools() []*flight.Pool {
	pools := make([]*flight.Pool, len(s.pools))
	for i, p := range s.pools {
		pools[i] = &flight.Pool{Pool: p, Bucket: s.buckets[i]}
	}
	return pools
}

func (s *system) copiers(
	cfg config.Config, sealer *activities.Sealer, o activities.Observer, owners activities.Owners,
) map[string]*activities.Activities {
	copiers := map[string]*activities.Activities{}
	engines := cfg.Copiers(s.origin, s.buckets)
	for i, p := range s.pools {
		if !cfg.Copies(p.ID()) {
			continue
		}
		copiers[p.ID()] = &activities.Activities{
			Pool:     p,
			Origin:   s.origin,
			Bucket:   s.buckets[i],
			Copier:   engines[i],
			Cache:    s.cache,
			Owners:   owners,
			Sealer:   sealer,
			Rules:    cfg.Rules(),
			Observer: o,
			Now:      time.Now,
		}
	}
	return copiers
}

func (s *system) bridge(temporal worker.Starter, sealer *activities.Sealer, log zerolog.Logger) *worker.Bridge {
	b := &worker.Bridge{Temporal: temporal, Sealer: sealer, Admit: s.origin.Admit, Pools: map[string]storage.Pool{}}
	b.Waiting = func(err error) { log.Warn().Err(err).Msg("Temporal does not take a copy request, it is tried again") }
	for _, p := range s.pools {
		b.Pools[p.ID()] = p
	}
	return b
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
}

// together runs all until one fails or ctx is over, then ends the others and waits for them. The admin listener serves
// until all have ended, so that a shutdown can be watched.
func together(ctx context.Context, admin func(context.Context) error, run ...func(context.Context) error) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		served <- admin(serving)
		cancel()
	}()
	group, ctx := errgroup.WithContext(ctx)
	for _, f := range run {
		group.Go(func() error { return f(ctx) })
	}
	err := group.Wait()
	stop()
	return errors.Join(err, <-served)
}
