package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/goccy/go-yaml"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
)

const (
	// shards is the number of history shards, which a cluster keeps for ever.
	shards = 16
	// Connections of each service to the two databases. Temporal's example has 20 and 2.
	mainConnections, visibleConnections = 20, 5
	retention                           = 24 * time.Hour
	// grace is how long a service has to hand over its shards, or its requests.
	grace     = 30 * time.Second
	askAgain  = 200 * time.Millisecond
	configKey = "cluster" // The name of the configuration's file
)

// Names of Temporal's services.
const (
	FrontEnd = "temporal-frontend"
	History1 = "temporal-history-1"
	History2 = "temporal-history-2"
	Matching = "temporal-matching"
	Worker   = "temporal-worker"
)

// service is one process of Temporal.
type service struct {
	name, kind string
	// health is the name of its gRPC health check. The worker serves no gRPC.
	health           string
	grpc, membership int // Ports
}

func services() []service {
	const health = "temporal.api.workflowservice.v1."
	return []service{
		{name: History1, kind: "history", health: health + "HistoryService"},
		{name: FrontEnd, kind: "frontend", health: health + "WorkflowService"},
		{name: History2, kind: "history", health: health + "HistoryService"},
		{name: Matching, kind: "matching", health: health + "MatchingService"},
		{name: Worker, kind: "worker"},
	}
}

// dynamicConfig are the settings of a cluster for cloud-mirror; see deploy/README.md.
func dynamicConfig() map[string][]map[string]any {
	all := map[string][]map[string]any{}
	for _, setting := range []string{
		"system.enableActivityEagerExecution", "system.enableEagerWorkflowStart", "matching.useNewMatcher", "matching.enableFairness",
	} {
		all[setting] = []map[string]any{{"value": true}}
	}
	return all
}

// startTemporal starts all services, which find each other by the database, and registers the
// namespace default.
func (c *Cluster) startTemporal(ctx context.Context, program string) error {
	dynamic := filepath.Join(c.opts.Dir, "dynamicconfig.yaml")
	if err := writeYAML(dynamic, dynamicConfig()); err != nil {
		return err
	}
	all := services()
	for i := range all {
		all[i].grpc, all[i].membership = c.port(), c.port()
	}
	c.frontEnd = all[slices.IndexFunc(all, func(s service) bool { return s.name == FrontEnd })].grpc
	var specs []supervise.Spec
	for _, s := range all {
		dir := filepath.Join(c.opts.Dir, s.name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return fmt.Errorf("create the folder of %s: %w", s.name, err)
		}
		if err := writeYAML(filepath.Join(dir, configKey+".yaml"), c.serverConfig(s, all, dynamic)); err != nil {
			return err
		}
		ready := serving(address(s.grpc), s.health)
		if s.health == "" {
			ready = listening(address(s.membership))
		}
		specs = append(specs, supervise.Spec{
			Name: s.name, Path: program, Dir: dir, Env: programEnv(), Log: c.logPath(s.name), Grace: grace, Ready: ready,
			Args: []string{"--root", dir, "--config", ".", "--env", configKey, "--allow-no-auth", "start", "--service", s.kind},
		})
	}
	// The first process initializes the cluster in the database. A second one at the same time fails.
	if err := c.run(ctx, specs[0]); err != nil {
		return err
	}
	if err := c.run(ctx, specs[1:]...); err != nil {
		return err
	}
	return c.registerNamespace(ctx)
}

// serverConfig is the configuration of one process
// (https://docs.temporal.io/references/configuration). A process finds the services that it has
// ports for, by the database.
func (c *Cluster) serverConfig(own service, all []service, dynamic string) map[string]any {
	ports := map[string]any{}
	for _, s := range append(slices.Clone(all), own) {
		ports[s.kind] = map[string]any{"rpc": map[string]any{
			"grpcPort": s.grpc, "membershipPort": s.membership, "bindOnLocalHost": true,
		}}
	}
	store := func(name string, connections int) map[string]any {
		return map[string]any{"sql": map[string]any{
			"pluginName": "postgres12", "databaseName": name, "connectAddr": address(c.database.port), "connectProtocol": "tcp",
			"user": databaseUser, "password": c.database.password,
			"maxConns": connections, "maxIdleConns": connections, "maxConnLifetime": "1h",
		}}
	}
	return map[string]any{
		"log": map[string]any{"stdout": true, "level": "warn"},
		"persistence": map[string]any{
			"defaultStore": "main", "visibilityStore": "visibility", "numHistoryShards": shards,
			"datastores": map[string]any{
				"main": store(mainDatabase, mainConnections), "visibility": store(visibleDatabase, visibleConnections),
			},
		},
		"global":   map[string]any{"membership": map[string]any{"maxJoinDuration": "30s", "broadcastAddress": "127.0.0.1"}},
		"services": ports,
		"clusterMetadata": map[string]any{
			"enableGlobalNamespace": false, "failoverVersionIncrement": 10,
			"masterClusterName": "active", "currentClusterName": "active",
			"clusterInformation": map[string]any{"active": map[string]any{
				"enabled": true, "initialFailoverVersion": 1, "rpcName": "frontend", "rpcAddress": c.TemporalAddress(),
			}},
		},
		"dcRedirectionPolicy": map[string]any{"policy": "noop"},
		"archival": map[string]any{
			"history": map[string]any{"state": "disabled"}, "visibility": map[string]any{"state": "disabled"},
		},
		"namespaceDefaults": map[string]any{"archival": map[string]any{
			"history": map[string]any{"state": "disabled"}, "visibility": map[string]any{"state": "disabled"},
		}},
		"dynamicConfigClient": map[string]any{"filepath": dynamic, "pollInterval": "10s"},
	}
}

// writeYAML writes a file that can hold the password of the database.
func writeYAML(path string, value any) error {
	text, err := yaml.Marshal(value)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the configuration of Temporal: %w", err)
	}
	return nil
}

// serving returns a readiness check by gRPC's health protocol. A history service serves 5 s after
// it has acquired its shards.
func serving(at, name string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: name})
		if err != nil {
			return err
		}
		if s := answer.GetStatus(); s != grpc_health_v1.HealthCheckResponse_SERVING {
			return fmt.Errorf("%s is %s", name, s)
		}
		return nil
	}
}

// listening returns a readiness check: the process accepts connections.
func listening(at string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// registerNamespace registers the namespace default, and returns when all services know it.
func (c *Cluster) registerNamespace(ctx context.Context) error {
	sdk, err := client.DialContext(ctx, client.Options{HostPort: c.TemporalAddress(), Logger: quiet{}})
	if err != nil {
		return fmt.Errorf("connect to Temporal: %w", err)
	}
	defer sdk.Close()
	err = retry(ctx, func() error {
		_, err := sdk.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: client.DefaultNamespace, WorkflowExecutionRetentionPeriod: durationpb.New(retention),
		})
		if _, exists := errors.AsType[*serviceerror.NamespaceAlreadyExists](err); exists {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("register the namespace: %w", err)
	}
	err = retry(ctx, func() error {
		_, listed := sdk.OperatorService().ListSearchAttributes(ctx,
			&operatorservice.ListSearchAttributesRequest{Namespace: client.DefaultNamespace})
		_, counted := sdk.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: client.DefaultNamespace})
		return errors.Join(listed, counted)
	})
	if err != nil {
		return fmt.Errorf("wait for the namespace: %w", err)
	}
	return nil
}

// retry calls f until it succeeds, or until ctx ends.
func retry(ctx context.Context, f func() error) error {
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(askAgain):
		}
	}
}

// quiet drops the log of the SDK's client.
type quiet struct{}

var _ log.Logger = quiet{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
