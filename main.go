// Command cloud-mirror redirects clients to a copy of an immutable object in their own region. It
// makes the copy the first time a client requests the object. This file holds the flags; package
// system runs the parts.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"
	_ "golang.org/x/crypto/x509roots/fallback" // Mozilla's CA certificates, for a system without any

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/deploy/operate"
	"github.com/cloud-mirror/cloud-mirror/deploy/savings"
	"github.com/cloud-mirror/cloud-mirror/deploy/system"
	"github.com/cloud-mirror/cloud-mirror/frontend/client"
)

// version is set by the linker in releases.
var version string

type cli struct {
	Frontend   frontendCmd               `cmd:"" help:"Serve redirects to clients."`
	Worker     workerCmd                 `cmd:"" help:"Make copies: the Temporal worker and the SQS bridge."`
	Setup      setupCmd                  `cmd:"" help:"Create buckets, queues, search attributes and schedules; can be repeated."`
	URL        client.URLCommand         `cmd:"" name:"url" help:"Print the redirect URL of an object."`
	Get        client.GetCommand         `cmd:"" help:"Follow a redirect and save the object."`
	Status     client.StatusCommand      `cmd:"" help:"Print the state of an object's copy."`
	Purge      client.PurgeCommand       `cmd:"" help:"Forget an object and delete its copy."`
	Copy       operate.CopyCommand       `cmd:"" help:"Copy an object, and wait for the end."`
	Copies     operate.CopiesCommand     `cmd:"" help:"Copies, as workflows of Temporal."`
	WorkflowID operate.WorkflowIDCommand `cmd:"" name:"workflow-id" help:"Print the workflow id of an object's copy."`
	Bypass     operate.BypassCommand     `cmd:"" help:"Switch copies of a host or a pool off, and on again."`
	Dead       operate.DeadCommand       `cmd:"" help:"Messages of the dead-letter queue."`
	Replay     operate.ReplayCommand     `cmd:"" help:"Check that this build continues the runs of a namespace, by their histories."`
	Savings    savings.Command           `cmd:"" help:"Print what the mirror saves and costs, from metrics."`
	Version    versionCmd                `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)

	var c cli
	command := kong.Parse(&c,
		kong.Name("cloud-mirror"),
		kong.Description("A copy of every object in the caller's own region, made at the first request."),
		kong.ShortUsageOnError(),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err := command.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "cloud-mirror: "+strings.ReplaceAll(err.Error(), "\n", "\ncloud-mirror: "))
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// configured is the flag of the commands that run a part of the system.
type configured struct {
	Config string `short:"c" env:"CLOUD_MIRROR_CONFIG" type:"path" placeholder:"FILE" help:"Configuration file (YAML); CLOUD_MIRROR_* variables override it."`
}

// run loads the configuration and calls f with it.
func (c *configured) run(f func(config.Config, zerolog.Logger) error) error {
	cfg, err := config.Load(c.Config, os.Environ())
	if err != nil {
		return err
	}
	return f(cfg, cfg.Logger(os.Stderr))
}

type frontendCmd struct{ configured }

func (c *frontendCmd) Run(ctx context.Context) error {
	return c.run(func(cfg config.Config, log zerolog.Logger) error {
		return system.RunFrontend(ctx, cfg, log, system.Version(version))
	})
}

type workerCmd struct {
	configured
	Pool   []string `placeholder:"ID" help:"Copy into this pool (repeatable), e.g. s3_us-west-2. The default is worker.pools, or all pools."`
	Copy   *bool    `negatable:"" help:"Make copies. On unless the configuration says otherwise."`
	Bridge *bool    `negatable:"" help:"Start workflows for the queue's messages. On unless the configuration says otherwise."`
}

func (w *workerCmd) Run(ctx context.Context) error {
	return w.run(func(cfg config.Config, log zerolog.Logger) error {
		if err := cfg.SetWorker(w.Pool, w.Copy, w.Bridge); err != nil {
			return err
		}
		return system.RunWorker(ctx, cfg, log, system.Version(version))
	})
}

type setupCmd struct {
	configured
	DryRun bool `help:"Change nothing; print what would be done."`
}

func (s *setupCmd) Run(ctx context.Context) error {
	return s.run(func(cfg config.Config, log zerolog.Logger) error {
		return system.RunSetup(ctx, cfg, log, os.Stdout, s.DryRun)
	})
}

type versionCmd struct{}

func (versionCmd) Run() error {
	_, err := fmt.Println("cloud-mirror", system.Version(version))
	return err
}

const example = "Example:\n\n  cloud-mirror "

func (frontendCmd) Help() string { return example + "frontend --config cloud-mirror.yaml" }
func (setupCmd) Help() string    { return example + "setup --config cloud-mirror.yaml --dry-run" }
func (versionCmd) Help() string  { return example + "version" }
func (workerCmd) Help() string {
	return "Examples:\n\n  cloud-mirror worker --config cloud-mirror.yaml --pool s3_us-west-2\n" +
		"  cloud-mirror worker --config cloud-mirror.yaml --no-copy"
}
