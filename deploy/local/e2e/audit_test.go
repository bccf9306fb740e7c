package e2e

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// auditing holds the records of all tests for the auditor.
type auditing struct {
	journal  auditor.Journal
	lag      auditor.Lag
	canary   *auditor.Canary
	auditor  *auditor.Auditor
	statuses map[string][]string
	secrets  []auditor.Secret
	stopped  sync.Map // The ends of faults of stopped parts, by name
}

// canaryHost is on the loopback interface, but in no allowed network.
const canaryHost = "127.200.0.1"

const (
	standardWait = 28 * time.Second // Of the redirect route, by the stack's configuration
	mirrorWait   = 10 * time.Second // Of the mirror route, by default
	longestLease = 20 * time.Second // By settings
	// settleTime is how long a scenario may take to settle.
	settleTime = 60 * time.Second
	// restTime is how long memory, goroutines and descriptors may take to be back at their base.
	restTime = 150 * time.Second
	// pooled is the memory of a worker by settings, which it keeps in buffers.
	pooled = 320 * mib
)

// startAudit starts the auditor of the shared stack, before any test.
func startAudit(ctx context.Context) (err error) {
	if err := sys.canary.Prove(ctx); err != nil {
		return err
	}
	if sys.statuses, err = auditor.Statuses(ctx, sys.Stack); err != nil {
		return err
	}
	if sys.secrets, err = auditor.Credentials(sys.Stack); err != nil {
		return err
	}
	// The run's controls of these are in inspectLogs and in newSource.
	sys.secrets = append(sys.secrets, auditor.Secret{Name: "the query's secret", Text: secret, Planted: 1},
		auditor.Secret{Name: "the marker of bodies", Text: bodyMarker, Planted: 1})
	sys.auditor, err = auditor.New(ctx, sys.Stack, &sys.journal, sys.canary)
	return err
}

// auditAtEnd audits the source's objects after the test.
func (s *source) auditAtEnd(t *testing.T) {
	t.Helper()
	start := time.Now()
	t.Cleanup(func() {
		if t.Failed() {
			return // The audit would repeat the test's failure
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*settleTime)
		defer cancel()
		found, _, err := sys.auditor.Audit(ctx, s.scope(start))
		require.NoError(t, err)
		for _, v := range found {
			t.Errorf("audit: %s", v)
		}
	})
}

// scope is the audit of a scenario. The usage of processes is audited at the end of the run, when
// no test runs.
func (s *source) scope(since time.Time) auditor.Scope {
	except := map[string]string{auditor.Resources: "other tests use the same processes"}
	maps.Copy(except, s.except)
	own := s.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(own)
	return auditor.Scope{
		Limits:  auditor.Limits{Except: except, Secrets: sys.secrets, Lease: longestLease},
		Ledgers: []*auditor.Ledger{&s.ledger}, Hosts: append([]string{own, "localhost:" + port}, s.hosts...),
		Since: since, Patience: settleTime,
	}
}

// excepts leaves a check out of the source's audit, because the test violates the check's premise.
func (s *source) excepts(check, reason string) { s.except[check] = reason }

// auditRest audits what no single test can: the usage of all processes, with no test running, and
// secrets in what they left behind.
func auditRest(ctx context.Context) ([]auditor.Violation, error) {
	except := map[string]string{}
	for _, check := range []string{
		auditor.Bytes, auditor.Messages, auditor.Fetches, auditor.Uploads, auditor.Leases, auditor.Answers,
	} {
		except[check] = "each test has audited its own objects"
	}
	found, _, err := sys.auditor.Audit(ctx, auditor.Scope{
		Limits: auditor.Limits{
			Except: except, Secrets: sys.secrets, Pooled: pooled, Slack: auditor.Usage{Memory: 128 * mib, Goroutines: 60, Descriptors: 30},
		},
		Since: time.Now(), Patience: restTime,
	})
	return found, err
}

// recordAnswer records an answer of a front end for the auditor. It is the only reader of paths.
func recordAnswer(method, target string, a answer, err error, start time.Time) {
	u, parsed := url.Parse(target)
	if parsed != nil || sys.auditor == nil {
		return
	}
	parts := strings.SplitN(strings.TrimPrefix(u.EscapedPath(), "/"), "/", 5)
	if len(parts) < 5 || parts[0] != "v1" {
		return
	}
	object, undecoded := url.QueryUnescape(parts[4])
	if undecoded != nil || parts[1] == "mirror" {
		return // The mirror route names no URL: its tests check their sources
	}
	out := auditor.Answer{
		Method: method, URL: u.Path, FrontEnd: u.Host, Pool: parts[2] + "_" + parts[3], Hash: hashOf(object),
		Statuses: sys.statuses[method+" /v1/"+parts[1]], Wait: standardWait, At: start, Took: a.took, Lag: sys.lag.Since(start),
		Status: a.status, Location: a.location, Copy: a.isCopy(),
	}
	if wait, err := time.ParseDuration(u.Query().Get("max_wait")); err == nil || u.Query().Get("max_wait") == "0" {
		out.Wait = wait
	}
	if err != nil {
		out.Err, out.Took = err.Error(), time.Since(start)
	}
	sys.journal.Answer(out)
	if method == http.MethodDelete {
		regions := []string{parts[3]}
		if parts[3] == "all" {
			regions = stack.Regions()
		}
		for _, region := range regions {
			sys.journal.Purge(auditor.Purge{Pool: parts[2] + "_" + region, Hash: out.Hash, From: start, To: time.Now()})
		}
	}
}

// The methods of the stack that disturb it record a fault.

// target is the name of a part in records: front ends go by their address, as clients know them.
func target(name string) string {
	for i, u := range sys.FrontEndURLs() {
		if name == "frontend-"+string(rune('1'+i)) {
			return strings.TrimPrefix(u, "http://")
		}
	}
	return name
}

// Kill is that of the stack.
func (s *system) Kill(name string) error {
	end := s.journal.Fault(target(name), "kill")
	defer end()
	return s.Stack.Kill(name)
}

// Stop is that of the stack.
func (s *system) Stop(name string) error {
	s.stopped.Store(name, s.journal.Fault(target(name), "stop"))
	return s.Stack.Stop(name)
}

// Resume is that of the stack.
func (s *system) Resume(name string) error {
	err := s.Stack.Resume(name)
	s.endFault(name)
	return err
}

// Signal is that of the stack.
func (s *system) Signal(name string, sig os.Signal) error {
	if sig == syscall.SIGSTOP {
		s.stopped.Store(name, s.journal.Fault(target(name), "freeze"))
	}
	err := s.Stack.Signal(name, sig)
	if sig == syscall.SIGCONT {
		s.endFault(name)
	}
	return err
}

func (s *system) endFault(name string) {
	if end, ok := s.stopped.LoadAndDelete(name); ok {
		end.(func())()
	}
}

func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	return conn
}

// TestAuditorFindsPlantedViolations plants a violation of each check in real servers.
func TestAuditorFindsPlantedViolations(t *testing.T) {
	s := newSource(t, 1000, nil)
	object := s.object()
	start := time.Now()
	requireCopy(t, s, west, ask(t, west, object, ""))
	waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)

	canary, err := auditor.NewCanary(canaryHost + ":0")
	require.NoError(t, err)
	defer canary.Close()
	require.NoError(t, canary.Prove(t.Context()))
	var journal auditor.Journal
	a, err := auditor.New(t.Context(), sys.Stack, &journal, canary)
	require.NoError(t, err)
	defer a.Close()
	look := func(ledgers ...*auditor.Ledger) map[string]string {
		scope := s.scope(start)
		scope.Ledgers = append(scope.Ledgers, ledgers...)
		delete(scope.Except, auditor.Resources)
		scope.Slack = auditor.Usage{Memory: 1 << 30, Goroutines: 60, Descriptors: 60}
		found, _, err := a.Look(t.Context(), scope)
		require.NoError(t, err)
		texts := map[string]string{}
		for _, v := range found {
			texts[v.Check] += v.Text + "\n"
		}
		return texts
	}
	eventually(t, func() bool { return len(look()) == 0 }, "control: a clean scenario")

	key := keyOf(t, object)
	planted := strings.Join(append(strings.Split(key, "/")[:2], secret), "/")
	r := redis.NewClient(&redis.Options{Addr: sys.RedisAddr()})
	defer r.Close()
	var held []net.Conn
	release := func() {
		for _, conn := range held {
			conn.Close()
		}
	}
	defer release()
	plants := []struct {
		check, text string
		plant       func()
		clean       func()
	}{
		{auditor.Bytes, "never served whole",
			func() { s3Call(t, http.MethodPut, west, key, "") }, // No bytes at all
			func() {
				s3Call(t, http.MethodDelete, west, key, "")
				purge(t, west, object)
			}},
		{auditor.Leases, "without an open run",
			func() {
				value := fmt.Sprintf(`pending {"d":%d}`, time.Now().Add(10*time.Second).UnixMilli())
				require.NoError(t, r.Set(t.Context(), redisKey(west, object), value, time.Minute).Err())
			},
			func() { require.NoError(t, r.Del(t.Context(), redisKey(west, object)).Err()) }},
		{auditor.Uploads, "is open",
			func() {
				status, body, _ := s3Call(t, http.MethodPost, west, key, "uploads=")
				require.Equal(t, 200, status, string(body))
			},
			func() { sweep(t, west, 0) }},
		{auditor.Secrets, "is in the metadata of " + planted,
			func() { s3Call(t, http.MethodPut, west, planted, "") },
			func() { s3Call(t, http.MethodDelete, west, planted, "") }},
		{auditor.Resources, "descriptors",
			func() {
				for range 100 {
					held = append(held, connect(t, strings.TrimPrefix(sys.FrontEndURLs()[0], "http://")))
				}
			},
			release},
	}
	for _, p := range plants {
		t.Run(p.check, func(t *testing.T) {
			p.plant()
			eventually(t, func() bool { return strings.Contains(look()[p.check], p.text) }, "the violation is found")
			p.clean()
			eventually(t, func() bool { return look()[p.check] == "" }, "the violation is gone")
		})
	}
	require.Contains(t, string(s.body), bodyMarker, "control: the product has copied it")
	for _, planted := range sys.secrets {
		t.Run(planted.Name, func(t *testing.T) {
			require.NoError(t, r.Set(t.Context(), "planted", planted.Text, time.Minute).Err())
			require.Contains(t, look()[auditor.Secrets], planted.Name+" is in redis")
			require.NoError(t, r.Del(t.Context(), "planted").Err())
			require.Empty(t, look()[auditor.Secrets])
		})
	}
	// The records of these can't be cleaned. The test's own audit has another journal.
	t.Run("records", func(t *testing.T) {
		body := `{"version":1,"data":{"id":"s3_us-west-2","url":"` + s.object() + `","action":"put"}}`
		journal.Message("cloud-mirror", body)
		journal.Answer(auditor.Answer{Method: "GET", Status: 500, Took: time.Hour, At: time.Now()})
		connect(t, canary.Addr()).Close()
		var second auditor.Ledger
		server := httptest.NewServer(second.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, secret) })))
		defer server.Close()
		for range 2 {
			status, _, _ := fetch(t, server.URL+"/?"+secret)
			require.Equal(t, 200, status)
		}
		eventually(t, func() bool {
			found := look(&second)
			return strings.Contains(found[auditor.Messages], "no run has followed it") &&
				strings.Contains(found[auditor.Answers], "status 500") && strings.Contains(found[auditor.Answers], "took 1h") &&
				strings.Contains(found[auditor.Connections], "1 connections") &&
				strings.Contains(found[auditor.Fetches], "was read 2 times")
		}, "the violations are found")
	})
}
