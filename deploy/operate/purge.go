package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/worker"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// CopiesPurgeCommand purges the copies of a host, or below a URL.
type CopiesPurgeCommand struct {
	configFlag
	Service string `default:"s3" help:"Service of the pools."`
	Region  string `required:"" short:"r" help:"Region of the pool, e.g. us-west-2; all means every region."`
	Host    string `placeholder:"HOST[:PORT]" xor:"of" required:"" help:"The source's host, with its port unless that is the scheme's own."`
	Prefix  string `placeholder:"URL" xor:"of" required:"" help:"The beginning of the URLs at the source, with the whole host, e.g. https://example.com/nightly/."`
	Rate    int    `default:"20" help:"Objects that are read and purged per second at most."`
	DryRun  bool   `help:"Change nothing; print what would be done."`
}

// Help returns examples.
func (CopiesPurgeCommand) Help() string {
	return "Examples:\n\n  cloud-mirror copies purge --region all --host example.com --dry-run\n" +
		"  cloud-mirror copies purge --region us-west-2 --prefix https://example.com/nightly/\n\n" +
		"It ends copies that run, and deletes those in the bucket. A copy that starts meanwhile can escape:\n" +
		"see bypass add. A failure that redis remembers stays for its time."
}

// Validate returns an error for flags that choose nothing.
func (c *CopiesPurgeCommand) Validate() error {
	if c.Rate < 1 {
		return fmt.Errorf("--rate is %d, want at least 1", c.Rate)
	}
	_, _, err := c.of()
	return err
}

// maxPrefix is the longest prefix, in bytes. A copy in the bucket may tell no more of its URL.
const maxPrefix = 250

// of returns the host of the objects, as in a canonical URL, and the prefix of their URLs.
func (c *CopiesPurgeCommand) of() (host, prefix string, err error) {
	if c.Host != "" {
		host, err = hostName(c.Host)
		return host, "", err
	}
	if strings.ContainsRune(c.Prefix, '?') {
		return "", "", errors.New("--prefix has a query, which no copy shows")
	}
	if len(c.Prefix) > maxPrefix {
		return "", "", fmt.Errorf("--prefix is longer than %d bytes", maxPrefix)
	}
	if prefix, err = origin.Canonical(c.Prefix); err != nil {
		return "", "", fmt.Errorf("--prefix: %w", err)
	}
	return workflows.Host(activities.SealedObject{URL: prefix}), prefix, nil
}

// Run purges the copies of each pool, and prints a line for each object.
func (c *CopiesPurgeCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(m *mirror) error {
		host, prefix, err := c.of()
		if err != nil {
			return err
		}
		aws, err := m.cfg.AWS(ctx, m.cfg.Logger(os.Stderr))
		if err != nil {
			return fmt.Errorf("AWS configuration: %w", err)
		}
		p := &purger{mirror: m, out: os.Stdout, host: host, prefix: prefix, pace: rate.NewLimiter(rate.Limit(c.Rate), 1), dryRun: c.DryRun}
		pools := m.cfg.StoragePools()
		if c.Region != "all" {
			pool, err := m.pool(c.Service, c.Region)
			if err != nil {
				return err
			}
			pools = []storage.Pool{pool}
		}
		var errs []error
		for _, pool := range pools {
			if pool.Service == c.Service {
				errs = append(errs, p.pool(ctx, pool, storage.Open(aws, pool)))
			}
		}
		return errors.Join(append(errs, p.end())...)
	})
}

// bucket is the part of [storage.Bucket] that a purge needs.
type bucket interface {
	Keys(ctx context.Context, prefix string) iter.Seq2[string, error]
	HeadMetadata(ctx context.Context, key string) (storage.Stored, map[string]string, error)
	Delete(ctx context.Context, key string) error
}

// purger purges the objects of a host whose URLs have a prefix.
type purger struct {
	*mirror

	out            io.Writer
	host, prefix   string
	pace           *rate.Limiter
	dryRun         bool
	purged, failed int
}

// end prints the count. It returns an error if an object failed.
func (p *purger) end() error {
	fmt.Fprintf(p.out, "%d objects: %d %s, %d failed\n", p.purged+p.failed, p.purged, p.done(), p.failed)
	if p.failed > 0 {
		return fmt.Errorf("%d of %d objects failed: repeat the command", p.failed, p.purged+p.failed)
	}
	return nil
}

func (p *purger) done() string {
	if p.dryRun {
		return "would be purged"
	}
	return "purged"
}

// pool purges the copies that run, and then those in the bucket: a copy that ends meanwhile is in
// the bucket. It tries all objects, and returns the first error of a list.
func (p *purger) pool(ctx context.Context, pool storage.Pool, b bucket) error {
	query, err := (&filter{Service: pool.Service, Region: pool.Region, Host: p.host, Limit: 1}).query([]string{"Running"}, time.Now())
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for w, err := range p.runs(ctx, query) {
		if err != nil {
			return err
		}
		in, err := p.input(ctx, w)
		switch id := w.GetExecution().GetWorkflowId(); {
		case err != nil:
			p.report(id, err)
		case strings.HasPrefix(in.Source.URL, p.prefix):
			if err := p.pace.Wait(ctx); err != nil {
				return err
			}
			seen[in.Source.Hash] = true
			p.object(ctx, pool, b, in.Source, keyOf(in.Source))
		}
	}
	folder, _, _ := strings.Cut(storage.Object{URL: "https://" + p.host + "/"}.Key(), "/")
	for key, err := range b.Keys(ctx, folder+"/") {
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(key, "/")
		hash, _, found := strings.Cut(rest, "/")
		if !found || seen[hash] {
			continue
		}
		if err := p.pace.Wait(ctx); err != nil {
			return err
		}
		p.stored(ctx, pool, b, key, hash)
	}
	return nil
}

// stored purges an object in the bucket if it is one of those to purge. The bucket has one folder
// for all ports of a host.
func (p *purger) stored(ctx context.Context, pool storage.Pool, b bucket, key, hash string) {
	_, metadata, err := b.HeadMetadata(ctx, key)
	s := activities.SealedObject{Service: pool.Service, Region: pool.Region, URL: metadata[activities.MetadataURL], Hash: hash}
	switch {
	case errors.Is(err, storage.ErrNotFound):
	case err != nil:
		p.report(pool.ID()+"/"+key, err)
	case s.URL == "":
		p.report(pool.ID()+"/"+key, errors.New("the copy does not tell its URL"))
	case workflows.Host(s) == p.host && strings.HasPrefix(s.URL, p.prefix):
		p.object(ctx, pool, b, s, key)
	}
}

// purgeTimeout bounds the purge of one object. A purge that has begun goes on after the command is
// interrupted.
const purgeTimeout = 15 * time.Second

// object purges one object, as a front end and a bridge do, and prints the result.
func (p *purger) object(ctx context.Context, pool storage.Pool, b bucket, s activities.SealedObject, key string) {
	if p.dryRun {
		p.report(workflows.ID(s), nil)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), purgeTimeout)
	defer cancel()
	generation, err := cache.PurgeCopy(ctx, p.cache, p.cfg.Space(pool).Key(s.Hash), func(ctx context.Context) error {
		return b.Delete(ctx, key)
	})
	if err == nil {
		err = worker.SignalPurge(ctx, p.temporal, s, generation)
	}
	p.report(workflows.ID(s), err)
}

// report counts an object and prints its result.
func (p *purger) report(name string, err error) {
	if err != nil {
		p.failed++
		fmt.Fprintf(p.out, "%s: failed: %s\n", printable(name), printable(err.Error()))
		return
	}
	p.purged++
	fmt.Fprintf(p.out, "%s: %s\n", printable(name), p.done())
}

// keyOf returns the key of an object, whose query may be sealed. Only the hash depends on the
// query.
func keyOf(s activities.SealedObject) string {
	parts := strings.Split(storage.Object{URL: s.URL}.Key(), "/")
	parts[1] = s.Hash
	return strings.Join(parts, "/")
}
