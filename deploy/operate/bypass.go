package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/model"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// BypassCommand holds the commands that switch copies off and on.
type BypassCommand struct {
	Add    BypassAddCommand    `cmd:"" help:"Switch off the copies of a source host, or into a pool, for a time."`
	Remove BypassRemoveCommand `cmd:"" help:"Switch them on again."`
	List   BypassListCommand   `cmd:"" help:"List what is switched off."`
}

// bypassFlags are the flags of all commands about bypasses.
type bypassFlags struct {
	Config string `short:"c" env:"CLOUD_MIRROR_CONFIG" type:"path" placeholder:"FILE" help:"Configuration file (YAML); CLOUD_MIRROR_* variables override it."`
}

// with connects to redis and calls f.
func (b *bypassFlags) with(f func(config.Config, *cache.Redis) error) error {
	cfg, err := config.Load(b.Config, os.Environ())
	if err != nil {
		return err
	}
	o := cfg.CacheOptions()
	o.Timeout = 0 // An operator can wait longer than a client.
	redis, err := cache.Open(cfg.Redis.URL, o)
	if err != nil {
		return fmt.Errorf("redis.url: %w", err)
	}
	return errors.Join(f(cfg, redis), redis.Close())
}

// bypassed names a host or a pool.
type bypassed struct {
	Host string `placeholder:"HOST[:PORT]" xor:"of" required:"" help:"The source's host, with its port unless that is the scheme's own."`
	Pool string `placeholder:"ID" xor:"of" required:"" help:"The pool, e.g. s3_us-west-2."`
}

// name returns the name of the bypass.
func (b *bypassed) name(cfg config.Config) (string, error) {
	if b.Pool == "" {
		host, err := hostName(b.Host)
		return cache.BypassOfHost(host), err
	}
	for _, p := range cfg.StoragePools() {
		if p.ID() == b.Pool {
			return cache.BypassOfPool(b.Pool), nil
		}
	}
	return "", fmt.Errorf("no pool %s is configured", printable(b.Pool))
}

// hostName returns a host and its port as canonical URLs have them, without a default port.
func hostName(host string) (string, error) {
	name, err := origin.CanonicalName(host)
	if err != nil {
		return "", fmt.Errorf("--host: %w", err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(name, ":443"), ":80"), nil
}

// BypassAddCommand adds a bypass.
type BypassAddCommand struct {
	bypassFlags
	bypassed
	For model.Duration `default:"1h" help:"Time after which the copies are switched on again, 30d at most."`
}

// Help returns examples.
func (BypassAddCommand) Help() string {
	return "Examples:\n\n  cloud-mirror bypass add --host big.example.com\n  cloud-mirror bypass add --pool s3_us-west-2 --for 12h\n\n" +
		"Front ends redirect its clients to the source within two seconds, also if there is a copy. Copies that run go on: see copies cancel."
}

// Run adds the bypass.
func (c *BypassAddCommand) Run(ctx context.Context) error {
	return c.with(func(cfg config.Config, redis *cache.Redis) error {
		name, err := c.name(cfg)
		if err != nil {
			return err
		}
		until := time.Now().Add(time.Duration(c.For))
		if err := redis.AddBypass(ctx, cache.Bypass{Name: name, Until: until}); err != nil {
			return err
		}
		_, err = fmt.Printf("%s: switched off until %s\n", name, until.UTC().Format(time.RFC3339))
		return err
	})
}

// BypassRemoveCommand ends a bypass.
type BypassRemoveCommand struct {
	bypassFlags
	bypassed
}

// Help returns an example.
func (BypassRemoveCommand) Help() string {
	return "Example:\n\n  cloud-mirror bypass remove --host big.example.com"
}

// Run ends the bypass. A pool may have been removed from the configuration meanwhile.
func (c *BypassRemoveCommand) Run(ctx context.Context) error {
	return c.with(func(_ config.Config, redis *cache.Redis) error {
		name := cache.BypassOfPool(c.Pool)
		if c.Pool == "" {
			host, err := hostName(c.Host)
			if err != nil {
				return err
			}
			name = cache.BypassOfHost(host)
		}
		removed, err := redis.RemoveBypass(ctx, name)
		if err != nil {
			return err
		}
		if !removed {
			return fmt.Errorf("%s was not switched off: see cloud-mirror bypass list", printable(name))
		}
		_, err = fmt.Printf("%s: switched on\n", printable(name))
		return err
	})
}

// BypassListCommand lists bypasses.
type BypassListCommand struct{ bypassFlags }

// Help returns an example.
func (BypassListCommand) Help() string { return "Example:\n\n  cloud-mirror bypass list" }

// Run prints the bypasses.
func (c *BypassListCommand) Run(ctx context.Context) error {
	return c.with(func(_ config.Config, redis *cache.Redis) error {
		list, err := redis.Bypasses(ctx)
		if err != nil {
			return err
		}
		return printBypasses(os.Stdout, list.All)
	})
}

func printBypasses(w io.Writer, all []cache.Bypass) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "nothing is switched off")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SWITCHED OFF\tUNTIL")
	for _, b := range all {
		fmt.Fprintf(table, "%s\t%s\n", printable(b.Name), b.Until.UTC().Format(time.RFC3339))
	}
	return table.Flush()
}
