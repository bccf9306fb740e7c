package e2e

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// hostileLimit is how many rows request the front end at the same time.
const hostileLimit = 16

// pollStatus is the interval between two requests for the status of a copy.
const pollStatus = 100 * time.Millisecond

// TestHostileInputs sends each row of the table through a front end, percent-encoded and in base64,
// and through the queue. Both resolvers of Go's net package run the whole table. Canaries count
// connections: there must be none. Rows that are harmless prove that the same ways lead to a copy.
func TestHostileInputs(t *testing.T) {
	rows := slices.Concat(
		schemeRows(), userinfoRows(), hostRows(), portRows(), unlistedRows(), nameRows(), addressRows(), ownRows(), hopRows(),
	)
	require.GreaterOrEqual(t, len(rows), 130)
	pause(t, stack.WorkerName(west))
	for _, resolver := range []string{"go", "cgo"} {
		t.Run(resolver, func(t *testing.T) {
			h := startHostile(t, resolver, rows)
			trials := make([]*trial, len(rows))
			for i, row := range rows {
				trials[i] = h.trial(i, row)
				h.send(t, row, trials[i].message())
			}
			h.sent = time.Now()
			h.askAll(trials)
			for _, tr := range trials {
				t.Run(tr.name, func(t *testing.T) {
					t.Run("front end", tr.checkFront)
					t.Run("queue", tr.checkQueue)
				})
			}
			h.requireResolver(t)
			forbidden := 0
			for _, c := range h.canaries {
				conns, requests := c.seen()
				forbidden += conns
				assert.Zero(t, conns, "connections to %s: %q", c.addr, requests)
			}
			t.Logf("%d rows, each through the front end and the queue; requests to the trusted source: %d; connections to canaries: %d",
				len(rows), h.trusted.total(), forbidden)
		})
	}
}

// world replaces the placeholders of rows.
type world []string

func (w world) fill(template, id string) string {
	return strings.NewReplacer(append(slices.Clone(w), "{id}", id)...).Replace(template)
}

// hostileSystem is a front end and a worker with one resolver and a strict policy.
type hostileSystem struct {
	resolver         string
	trusted          *trusted
	canaries         []*canary
	world            world
	frontEnd, worker *process
	queue            string
	dead, ownDead    *deadLetters
	sent             time.Time // The last message
}

// patience is the time for a message to be handled. All messages wait at the same time.
func (h *hostileSystem) patience() time.Duration {
	return max(time.Until(h.sent.Add(deadline)), time.Second)
}

func startHostile(t *testing.T, resolver string, rows []hostileRow) *hostileSystem {
	t.Helper()
	h := &hostileSystem{resolver: resolver, trusted: newTrusted(t), queue: "hostile-" + resolver}
	for _, name := range []string{"local", "v6", "meta", "denied"} {
		ip := map[string]string{"local": "127.0.0.1", "v6": "::1", "meta": "127.0.0.3", "denied": deniedIP}[name]
		unlisted, listed := newCanary(t, ip), newCanary(t, ip)
		h.canaries = append(h.canaries, unlisted, listed)
		port := map[string]string{"local": "{port}", "v6": "{v6port}", "meta": "{metaPort}", "denied": "{deniedPort}"}[name]
		listedPort := map[string]string{"local": "{listed}", "v6": "{listedV6}", "meta": "{listedMeta}", "denied": "{listedDenied}"}[name]
		h.world = append(h.world, "{"+name+"}", unlisted.addr, port, unlisted.port, listedPort, listed.port)
	}
	host := func(address string) string {
		_, rest, _ := strings.Cut(address, "://")
		return rest
	}
	h.world = append(h.world,
		"{ok}", h.trusted.addr, "{okTLS}", h.trusted.tlsAddr, "{okPort}", portOf(h.trusted.addr),
		"{redis}", sys.RedisAddr(), "{sqs}", host(sys.SQSEndpoint()), "{temporal}", sys.TemporalAddress(),
		"{frontEnd}", host(sys.FrontEndURLs()[0]), "{admin}", host(sys.AdminURL("frontend-1")),
	)
	h.createQueues(t)
	h.dead = collectDead(t, h.queue+"_dead")
	h.ownDead = collectDead(t, "cloud-mirror_dead")
	config := editedConfig(t, func(c settingsTree) {
		allowOnly(t, c, append(h.origins(rows), "http://"+h.trusted.addr+"/", "https://"+h.trusted.tlsAddr+"/"))
		c.set(t, "sqs.queue", h.queue)
	})
	// The level 2 logs the resolver of each name.
	variables := []string{
		"GODEBUG=netdns=" + resolver + "+2", "SSL_CERT_FILE=" + h.trusted.certificate, "CLOUD_MIRROR_CACHE_NEGATIVE_TTL=10m",
		// Variables, because settings() has one, which wins over the file.
		"CLOUD_MIRROR_SOURCE_ALLOWED_NETWORKS=" + trustedIP + "/32 " + deniedIP + "/32", "CLOUD_MIRROR_SOURCE_DENIED_NETWORKS=" + deniedIP + "/32",
	}
	h.worker = startProcess(t, "hostile-worker-"+resolver, sys.Binary(), strings.Fields("worker --pool s3_"+west+" --config "+config), variables...)
	h.frontEnd = startProcess(t, "hostile-frontend-"+resolver, sys.Binary(), strings.Fields("frontend --config "+config), variables...)
	return h
}

// requireResolver checks the resolver that the worker really has.
func (h *hostileSystem) requireResolver(t *testing.T) {
	t.Helper()
	log, err := os.ReadFile(h.worker.log)
	require.NoError(t, err)
	name := map[string]string{"go": "Go", "cgo": "cgo"}[h.resolver]
	require.Contains(t, string(log), "GODEBUG setting forcing use of the "+name+" resolver\n")
	require.Contains(t, string(log), "hostLookupOrder(localhost)")
}

func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// allowOnly replaces the allow-list by these prefixes of URLs.
func allowOnly(t *testing.T, c settingsTree, prefixes []string) {
	t.Helper()
	source, ok := c["source"].(map[string]any)
	require.True(t, ok)
	slices.Sort(prefixes)
	source["allowed"] = slices.Compact(prefixes)
}

func (h *hostileSystem) createQueues(t *testing.T) {
	t.Helper()
	for _, name := range []string{h.queue, h.queue + "_dead"} {
		_, err := newQueues().CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name})
		require.NoError(t, err)
	}
}

func (h *hostileSystem) send(t *testing.T, row hostileRow, body string) {
	t.Helper()
	name, c := h.queue, newQueues()
	if row.own {
		name = "cloud-mirror"
	}
	_, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: queueURL(t, c, name), MessageBody: &body})
	require.NoError(t, err)
}

func (h *hostileSystem) region(row hostileRow) string {
	if row.own {
		return east // The worker of the other region is this test's
	}
	return west
}

func (h *hostileSystem) base(row hostileRow) string {
	if row.own {
		return sys.FrontEndURLs()[0]
	}
	return "http://" + h.frontEnd.listen
}

func (h *hostileSystem) deaths(row hostileRow) *deadLetters {
	if row.own {
		return h.ownDead
	}
	return h.dead
}

// askAll sends all rows to the front end, in both forms.
func (h *hostileSystem) askAll(trials []*trial) {
	var group errgroup.Group
	group.SetLimit(hostileLimit)
	for _, tr := range trials {
		group.Go(func() error {
			query := "?max_wait=30s"
			if tr.want.class == unresolved().class {
				query = "?max_wait=0"
			}
			path := h.base(tr.row) + "/v1/redirect/s3/" + h.region(tr.row) + "/"
			for i, form := range []string{encodeURIComponent(tr.front), base64.URLEncoding.EncodeToString([]byte(tr.front))} {
				tr.answers[i], tr.failed[i] = request(http.MethodGet, path+form+query, "")
			}
			return nil
		})
	}
	_ = group.Wait()
}

// encodeURIComponent encodes every byte that the function of that name in JavaScript does.
func encodeURIComponent(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// statusOf returns the status of a copy and the class of its error.
func (h *hostileSystem) statusOf(t *testing.T, row hostileRow, object string) string {
	t.Helper()
	var body struct{ Status, Error string }
	_, data, _ := fetch(t, h.base(row)+"/v1/status/s3/"+h.region(row)+"/"+encodeURIComponent(object))
	require.NoError(t, json.Unmarshal(data, &body), string(data))
	return body.Status + " " + body.Error
}

// deadLetters collects the reasons of dead letters, by body.
type deadLetters struct {
	mu      sync.Mutex
	reasons map[string]string
}

// collectDead receives the messages of a dead-letter queue until the test ends. They stay there.
func collectDead(t *testing.T, name string) *deadLetters {
	t.Helper()
	d, c := &deadLetters{reasons: map[string]string{}}, newQueues()
	queue, done := queueURL(t, c, name), make(chan struct{})
	go func() {
		defer close(done)
		for t.Context().Err() == nil {
			out, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
				QueueUrl: queue, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, VisibilityTimeout: 60, MessageAttributeNames: []string{"All"},
			})
			if err != nil {
				return
			}
			d.mu.Lock()
			for _, m := range out.Messages {
				d.reasons[aws.ToString(m.Body)] = aws.ToString(m.MessageAttributes["reason"].StringValue)
			}
			d.mu.Unlock()
		}
	}()
	t.Cleanup(func() { <-done }) // The test's context is done before
	return d
}

func (d *deadLetters) reason(body string) (reason string, found bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	reason, found = d.reasons[body]
	return reason, found
}
