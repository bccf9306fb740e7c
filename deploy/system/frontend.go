package system

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/rs/zerolog"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/deploy/system/calls"
	"github.com/cloud-mirror/cloud-mirror/deploy/system/tracing"
	"github.com/cloud-mirror/cloud-mirror/frontend"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/frontend/token"
	"github.com/cloud-mirror/cloud-mirror/frontend/upstream"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// RunFrontend serves redirects until ctx ends.
func RunFrontend(ctx context.Context, cfg config.Config, log zerolog.Logger, version string) error {
	traces, err := tracing.Open(ctx, "cloud-mirror-frontend", version, log)
	if err != nil {
		return err
	}
	defer traces.Close(ctx)
	s, err := open(ctx, cfg, cfg.Redis.Timeout, calls.FrontEnd(cache.Commands()), traces, log)
	if err != nil {
		return err
	}
	defer s.close()
	registerBuild(s.registry, version)
	gc := newFrontendGC(cfg)
	logPolicy(cfg, log)
	near, watcher := s.nearCache(), s.watcher()
	o := cfg.FrontendOptions()
	gate := s.gate()
	if o.Upstreams, err = upstream.New(cfg.Upstreams()); err != nil {
		return err
	}
	if o.Flights, err = s.flights(near, watcher, gate, o.Upstreams.Names()); err != nil {
		return err
	}
	o.Entries, o.Admit, o.Bypasses = near, s.admit, s.bypasses()
	o.Log, o.Registry, o.Tracer = log, s.registry, traces.Tracer()
	if o.Tokens, err = s.tokens(); err != nil {
		return err
	}
	runLocator, err := s.locator(ctx, &o)
	if err != nil {
		return err
	}
	server := frontend.New(o)
	clients, err := listen(ctx, "frontend.listen", cfg.Frontend.Listen)
	if err != nil {
		return err
	}
	admin, err := listen(ctx, "frontend.admin_listen", cfg.Frontend.AdminListen)
	if err != nil {
		_ = clients.Close()
		return err
	}
	log.Info().Str("version", version).Int("pid", os.Getpid()).
		Stringer("listen", clients.Addr()).Stringer("admin", admin.Addr()).Msg("frontend started")
	for _, warning := range cfg.SharedSites() {
		log.Warn().Msg(warning)
	}
	defer func() { log.Info().Msg("frontend stopped") }()
	running, cancel := drained(ctx, cfg.Frontend.Drain, func() {
		server.Drain()
		log.Info().Stringer("drain", cfg.Frontend.Drain).Msg("frontend is not ready any more, and stops after frontend.drain")
	})
	defer cancel()
	return runAll(running,
		func(ctx context.Context) error { return runAdmin(ctx, admin, s.registry, server.Ready, nil) },
		func(ctx context.Context) error { return server.Run(ctx, clients) },
		func(ctx context.Context) error { watcher.Run(ctx, s.cache); return nil },
		func(ctx context.Context) error { near.Run(ctx); return nil },
		func(ctx context.Context) error { gate.Run(ctx); return nil },
		func(ctx context.Context) error { o.Bypasses.Run(ctx, s.cache); return nil },
		func(ctx context.Context) error { runLocator(ctx); return nil },
		func(ctx context.Context) error { gc.run(ctx, server.Conns); return nil },
		func(ctx context.Context) error { o.Tokens.Run(ctx); return nil },
	)
}

// tokens opens the file of bearer tokens, if there is one.
func (s *parts) tokens() (*token.Guard, error) {
	o := token.Options{Log: s.log, Registry: s.registry}
	if path := s.cfg.Frontend.TokensFile; path != "" {
		var err error
		if o.File, err = token.Open(token.FileOptions{Path: path, Log: s.log, Registry: s.registry}); err != nil {
			return nil, fmt.Errorf("frontend.tokens_file: %w", err)
		}
	}
	return token.NewGuard(o), nil
}

// admit is the front end's policy for source URLs.
func (s *parts) admit(url string) (string, error) {
	canonical, err := s.Origin.Admit(url)
	if errors.Is(err, origin.ErrBareEscape) || errors.Is(err, origin.ErrBadName) {
		err = frontend.BadURL(err.Error())
	}
	return canonical, err
}

func (s *parts) gate() *flight.Gate {
	o := s.cfg.GateOptions()
	o.Pools, o.Backlogs, o.Log = s.ids(), s.cache, s.log
	return flight.NewGate(o)
}

func (s *parts) flights(
	near *cache.NearCache, watcher *cache.Watcher, gate *flight.Gate, upstreams []string,
) (*flight.Group, error) {
	sealer, err := newSealer(s.cfg)
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname() // Only part of a name.
	o := s.cfg.FlightOptions()
	for i, p := range s.Pools {
		o.Pools = append(o.Pools, &flight.Pool{Pool: p, Bucket: s.Buckets[i].FailFast(), Space: s.cfg.Space(p)})
	}
	o.Cache, o.Watcher, o.Queue, o.Sealer, o.Owner = near, watcher, s.queue, sealer, fmt.Sprintf("%s/%d", host, os.Getpid())
	o.Upstreams = upstreams
	o.Gate, o.Breakers, o.Log, o.Registry = gate, s.breakers, s.log, s.registry
	return flight.NewGroup(o), nil
}

func (s *parts) nearCache() *cache.NearCache {
	o := s.cfg.NearCache()
	o.OnChange = func(up bool, err error) {
		if up {
			s.log.Info().Msg("redis notifies of changes; redirects are served from memory")
		} else {
			s.log.Warn().Err(err).Msg("redis does not notify of changes; every redirect reads redis")
		}
	}
	c := cache.NewNearCache(s.cache, o)
	registerNearCache(s.registry, c)
	return c
}

func (s *parts) watcher() *cache.Watcher {
	return cache.NewWatcher(func(up bool) {
		if up {
			s.log.Info().Msg("redis is up")
		} else {
			s.log.Warn().Msg("redis is down; clients are redirected after a HEAD of the bucket")
		}
	})
}

// locator sets o.RegionOf if region.ip_ranges is set, and returns the function that keeps the list
// current. A list in a file must load now. A list from a URL loads in the background.
func (s *parts) locator(ctx context.Context, o *frontend.Options) (run func(context.Context), err error) {
	l, err := s.cfg.Locator(func(err error) {
		s.log.Warn().Err(err).Msg("region.ip_ranges not loaded; retrying")
	})
	if l == nil || err != nil {
		return func(context.Context) {}, err
	}
	o.RegionOf = l.Locate
	if err := l.Load(ctx); err != nil {
		return nil, fmt.Errorf("region.ip_ranges: %w", err)
	}
	return l.Run, nil
}
