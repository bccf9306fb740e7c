package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/redis/go-redis/v9"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/proxy"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

const (
	frontEnds      = 2
	hostileClients = 4
	lease          = 20 * time.Second
	// settleTime is how long memory, goroutines and descriptors may take to be back at their base.
	settleTime = 150 * time.Second
	// canaryHost is on the loopback interface, but in no allowed network.
	canaryHost = "127.200.0.1"
	// workerMemory has room for the parts of one large object.
	workerMemory = 192 * mib
	// recovered is the number of objects that each pool must serve after the last fault.
	recovered = 10
)

// chaos is one run.
type chaos struct {
	seed      uint64
	started   time.Time
	stack     *stack.Stack
	server    proxy.Server
	proxies   map[string]*proxy.Proxy
	frontEnds []*proxy.Proxy
	source    *httptest.Server
	hosts     [2]string // In URLs of the source: for the redirect route, and for the mirror route
	objects   []*object
	ledger    auditor.Ledger
	journal   auditor.Journal
	canary    *auditor.Canary
	auditor   *auditor.Auditor
	statuses  map[string][]string
	redis     *redis.Client
	http      *http.Client
	lag       auditor.Lag            // Of this process
	pings     [frontEnds]auditor.Lag // Of each front end

	purges, pointed, guesses, passed, bodies, internal atomic.Int64

	mu       sync.Mutex
	outcomes map[string]int
	faults   map[fault]int
}

func run(ctx context.Context, seed uint64, length time.Duration, race bool, steps []step) (err error) {
	dir, err := os.MkdirTemp("", "cloud-mirror-chaos-")
	if err != nil {
		return err
	}
	c := &chaos{
		seed: seed, server: proxy.NewServer(), proxies: map[string]*proxy.Proxy{}, objects: newObjects(seed),
		http:     &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: goodClients}},
		outcomes: map[string]int{}, faults: map[fault]int{},
	}
	defer func() {
		if err != nil && !errors.Is(err, context.Canceled) {
			c.keep(dir)
		}
		c.close()
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	if err := c.start(ctx, dir, race); err != nil {
		return err
	}
	c.started = time.Now()
	if err := c.disturb(ctx, length, steps); err != nil {
		return err
	}
	return c.judge(ctx, dir)
}

// start starts the source, the proxies, the stack and the auditor.
func (c *chaos) start(ctx context.Context, dir string, race bool) (err error) {
	if c.canary, err = auditor.NewCanary(canaryHost + ":0"); err != nil {
		return err
	}
	if err := c.canary.Prove(ctx); err != nil {
		return err
	}
	c.source = httptest.NewServer(c.ledger.Wrap(newOrigin(c.objects, c.canary.Addr(), &c.bodies)))
	root, err := stack.FindRoot(".")
	if err != nil {
		return err
	}
	c.stack, err = stack.Start(ctx, stack.Options{
		Root: root, StateDir: dir, FrontEnds: frontEnds, Race: race, Log: os.Stderr, Route: c.route, OnMessage: c.journal.Message,
		Env: []string{
			"CLOUD_MIRROR_CACHE_LEASE=" + lease.String(), "CLOUD_MIRROR_CACHE_RETRY_AFTER=2s",
			"CLOUD_MIRROR_SQS_VISIBILITY_TIMEOUT=5s", "CLOUD_MIRROR_SOURCE_STALL_TIMEOUT=5s", fmt.Sprintf("CLOUD_MIRROR_WORKER_MEMORY=%d", int64(workerMemory)),
			"CLOUD_MIRROR_SOURCE_ALLOWED_NETWORKS=127.0.0.0/9",
		},
	})
	if err != nil {
		return err
	}
	_, port, _ := net.SplitHostPort(c.proxies["origin"].Addr())
	c.hosts = [2]string{"127.0.0.1:" + port, "localhost:" + port}
	for i, name := range frontEndNames() {
		p, err := c.newProxy(name, strings.TrimPrefix(c.stack.FrontEndURLs()[i], "http://"))
		if err != nil {
			return err
		}
		c.frontEnds = append(c.frontEnds, p)
	}
	if c.statuses, err = auditor.Statuses(ctx, c.stack); err != nil {
		return err
	}
	c.redis = redis.NewClient(&redis.Options{Addr: c.stack.RedisAddr()})
	c.auditor, err = auditor.New(ctx, c.stack, &c.journal, c.canary)
	return err
}

// disturb runs all clients, and injects the faults among them.
func (c *chaos) disturb(ctx context.Context, length time.Duration, steps []step) error {
	running, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { c.lag.Run(running) })
	for i := range frontEnds {
		all.Go(func() { c.ping(running, i) })
	}
	for i := range uint64(goodClients) {
		all.Go(func() { c.browse(running, i) })
	}
	for i := range uint64(hostileClients) {
		all.Go(func() { c.annoy(running, i) })
	}
	all.Go(func() { c.purge(running) })
	all.Go(func() { c.warm(running) })
	err := c.inject(running, steps)
	<-running.Done()
	all.Wait()
	c.http.CloseIdleConnections()
	for _, p := range c.proxies {
		err = errors.Join(err, p.Restore(ctx))
	}
	return errors.Join(err, c.ready(ctx), ctx.Err())
}

// judge lets the system recover, and audits it.
func (c *chaos) judge(ctx context.Context, dir string) error {
	found := c.recover(ctx)
	secrets, err := auditor.Credentials(c.stack)
	if err != nil {
		return err
	}
	secrets = append(secrets, auditor.Secret{Name: "a signature", Text: secret},
		auditor.Secret{Name: "a body", Text: bodyMarker, Planted: c.bodies.Load()},
		auditor.Secret{Name: "a guessed token", Text: wrongToken, Planted: c.guesses.Load()})
	more, evidence, err := c.auditor.Audit(ctx, auditor.Scope{
		Limits: auditor.Limits{
			Secrets: secrets, Lease: lease,
			Slack:  auditor.Usage{Memory: 64 * mib, Goroutines: 40, Descriptors: 20},
			Pooled: workerMemory,
		},
		Ledgers: []*auditor.Ledger{&c.ledger}, Hosts: c.hosts[:], Since: c.started, Patience: settleTime,
	})
	if err != nil {
		return err
	}
	found = append(found, more...)
	found = append(found, auditor.Alarms(evidence)...)
	if n := c.internal.Load(); n > 0 {
		found = append(found, auditor.Violation{Check: auditor.Answers, Text: fmt.Sprintf("%d requests of hostile clients got status 500", n)})
	}
	if n := c.passed.Load(); n > 0 {
		found = append(found, auditor.Violation{Check: auditor.Answers, Text: fmt.Sprintf("%d guessed tokens were not refused", n)})
	}
	if c.pointed.Load() == 0 {
		found = append(found, auditor.Violation{Check: auditor.Connections, Text: "control: no client named the canary"})
	}
	c.report(os.Stdout, evidence, found)
	if len(found) > 0 {
		if err := saveEvidence(dir, evidence); err != nil {
			return err
		}
		return errViolations
	}
	return nil
}

// recover requires each pool to serve copies again.
func (c *chaos) recover(ctx context.Context) (found []auditor.Violation) {
	running, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	go c.lag.Run(running)
	r := rand.New(rand.NewPCG(c.seed, 60))
	for _, region := range stack.Regions() {
		for i, o := range c.objects[:recovered] {
			q := c.redirect(r, o)
			for q.region != region || q.wait == 0 || q.route != "/v1/redirect" {
				q = c.redirect(r, o)
			}
			got := false
			for !got && running.Err() == nil {
				got = c.send(running, r, q).Copy
			}
			if !got {
				text := fmt.Sprintf("object %d is not copied into %s after the last fault", i, region)
				found = append(found, auditor.Violation{Check: auditor.Answers, Text: text})
			}
		}
	}
	return found
}

func (c *chaos) close() {
	if c.auditor != nil {
		_ = c.auditor.Close()
	}
	if c.redis != nil {
		_ = c.redis.Close()
	}
	if c.stack != nil {
		_ = c.stack.Close()
	}
	for _, p := range slices.Collect(maps.Values(c.proxies)) {
		p.Close()
	}
	if c.source != nil {
		c.source.CloseClientConnections()
		c.source.Close()
	}
	if c.canary != nil {
		_ = c.canary.Close()
	}
}

// enqueue sends a message to the queue, as a hostile client of SQS would.
func (c *chaos) enqueue(ctx context.Context, body string) error {
	q := sqs.New(sqs.Options{
		Region: stack.Regions()[0], BaseEndpoint: aws.String("http://" + c.proxies["sqs"].Addr()),
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, err := q.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("cloud-mirror")})
	if err != nil {
		return err
	}
	_, err = q.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: out.QueueUrl, MessageBody: &body})
	return err
}
