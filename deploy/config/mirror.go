package config

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloud-mirror/cloud-mirror/frontend/upstream"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// Mirror configures the route /v1/mirror.
type Mirror struct {
	Wait       time.Duration `yaml:"wait" env:"WAIT" doc:"how long a client of /v1/mirror waits for a copy before it is redirected to the source. pip waits for 15s, Bazel for 20s, uv, cargo and Playwright for 30s"`
	MinSize    Size          `yaml:"min_size" env:"MIN_SIZE" doc:"size of the smallest object that /v1/mirror copies; a smaller one costs more to copy than it saves"`
	AuditEvery int           `yaml:"audit_every" env:"AUDIT_EVERY" doc:"one of N hits of each upstream is audited: a worker compares the source with the copy; 0 audits none"`
	AuditPurge bool          `yaml:"audit_purge" env:"AUDIT_PURGE" doc:"purge a copy whose source has changed"`
	Upstreams  []Upstream    `yaml:"upstreams"`
}

// Upstream configures one server that clients reach through /v1/mirror.
type Upstream struct {
	URL     string   `yaml:"url" doc:"**required**; the root of the upstream, e.g. https://github.com. Its host is a name, not an address. It is http only if source.ensure_ssl is false"`
	Name    string   `yaml:"name" doc:"the first segment of its paths, if not the host of url"`
	Copy    []string `yaml:"copy" doc:"paths that are immutable: names of built-in sets, e.g. github, or expressions that begin with ^. Everything else is redirected to the source"`
	MinSize *Size    `yaml:"min_size" doc:"size of the smallest object that is copied, if not mirror.min_size"`
}

// Upstreams returns the configured upstreams of /v1/mirror.
func (c *Config) Upstreams() []upstream.Options {
	all := make([]upstream.Options, len(c.Mirror.Upstreams))
	for i, u := range c.Mirror.Upstreams {
		all[i] = upstream.Options{
			Name: u.Name, URL: u.URL, Insecure: !c.Source.EnsureSSL, Copy: u.Copy, MinSize: int64(c.Mirror.MinSize),
		}
		if u.MinSize != nil {
			all[i].MinSize = int64(*u.MinSize)
		}
	}
	return all
}

// UpstreamRoots returns the sources that upstreams allow, as entries of source.allowed: their
// roots, and those to which the servers of their built-in sets redirect.
func (c *Config) UpstreamRoots() []string {
	set, err := upstream.New(c.Upstreams())
	if err != nil {
		return nil // Validate reports it.
	}
	return set.Roots()
}

// maxMirrorWait returns the upper limit of mirror.wait. Without upstreams no request has this wait,
// and its default may exceed frontend.max_wait_limit.
func (c *Config) maxMirrorWait() time.Duration {
	if len(c.Mirror.Upstreams) == 0 {
		return time.Hour
	}
	return c.Frontend.MaxWaitLimit
}

func (c *Config) validateMirror() error {
	for i, u := range c.Mirror.Upstreams {
		if size := u.MinSize; size != nil && (*size < 0 || int64(*size) > maxObject) {
			return wrong(upstreamKey(i, "min_size"), "%d is not between 0 and %d", *size, int64(maxObject))
		}
	}
	_, err := upstream.New(c.Upstreams())
	if bad, ok := errors.AsType[*upstream.OptionsError](err); ok {
		return wrong(upstreamKey(bad.Index, bad.Field), "%s", bad.Text)
	}
	if err != nil {
		return err
	}
	for _, root := range c.UpstreamRoots() {
		if _, err := origin.ParseAllowed(root); err != nil {
			return wrong("mirror.upstreams", "%q has a path with one of * ( ) [ ] $", root)
		}
	}
	return nil
}

func upstreamKey(i int, field string) string { return fmt.Sprintf("mirror.upstreams[%d].%s", i, field) }
