package auditor

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	pool    = "s3_us-west-2"
	address = "http://source.test/file.bin?sig=hunter2"
	secret  = "hunter2"
	good    = "00aa"
)

// clean is a system after one request that made one copy.
func clean() (*Evidence, Limits) {
	start := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	hash := HashOf(address)
	location := "http://bucket.test/source.test/" + hash + "/file.bin"
	idle := map[string]Usage{"frontend-1": {Memory: 1e6, Goroutines: 50, Descriptors: 20}}
	busy := map[string]Usage{"frontend-1": {Memory: 2e6, Goroutines: 60, Descriptors: 25}}
	return &Evidence{
		Now: at(60),
		Sources: map[string]*Source{hash: {
			URL: address, Whole: map[string]bool{good: true}, Size: 1000,
			GETs: []Served{{Status: 200, Bytes: 1000, From: at(1.1), To: at(1.2)}},
		}},
		Answers: []Answer{{
			Method: "GET", FrontEnd: "frontend-1", Pool: pool, Hash: hash, Statuses: []string{"302", "4XX", "503"},
			Wait: 28 * time.Second, At: at(1), Took: time.Second, Status: 302, Location: location, Copy: true,
			Downloaded: &Download{Status: 200, Digest: good, To: at(2.5)},
		}},
		Copies:   []Copy{{Pool: pool, Hash: hash, Key: "source.test/" + hash + "/file.bin", Size: 1000, Digest: good}},
		Accepted: []Message{{At: at(1), Body: "{}", Pool: pool, Hash: hash, Action: "put"}},
		Runs:     []Run{{Pool: pool, Hash: hash, Type: copyWorkflow, Status: "Completed", Start: at(1.05), Close: at(1.9)}},
		Entries:  []Entry{{Pool: pool, Hash: hash, State: "present", Deadline: at(1000), TTL: time.Hour}},
		Texts:    []Text{{"frontend-1.log", "redirected source.test/file.bin"}},
		Base:     idle, Use: busy,
	}, Limits{Secrets: []Secret{{Name: "the signature", Text: secret}}, Lease: 20 * time.Second, Slack: Usage{Memory: 1e6, Goroutines: 10, Descriptors: 5}}
}

// TestEachCheckFindsItsViolation plants one violation at a time. The clean system is the control of
// each.
func TestEachCheckFindsItsViolation(t *testing.T) {
	e, o := clean()
	require.Empty(t, Check(e, o), "control: a clean system")
	hash := HashOf(address)
	for _, c := range []struct {
		name, check string
		plant       func(e *Evidence, o *Limits)
		text        string
	}{
		{"a wrong byte in the bucket", Bytes, func(e *Evidence, _ *Limits) { e.Copies[0].Digest = "00ab" }, "never served whole"},
		{"a wrong byte in a download", Bytes, func(e *Evidence, _ *Limits) { e.Answers[0].Downloaded.Digest = "00ab" }, "never served whole"},
		{"a location without an object", Bytes, func(e *Evidence, _ *Limits) { e.Answers[0].Downloaded.Status = 404 }, "leads to status 404"},
		{"a download that fails", Bytes, func(e *Evidence, _ *Limits) { e.Answers[0].Downloaded.Err = "unexpected EOF" }, "unexpected EOF"},
		{"another object's location", Bytes, func(e *Evidence, _ *Limits) { e.Answers[0].Location = "http://bucket.test/x" }, "another object"},
		{"purged bytes", Bytes, func(e *Evidence, _ *Limits) {
			e.Replaced = []Replaced{{Hashes: []string{hash}, Digest: good, At: e.Answers[0].At.Add(-2 * time.Second)}}
		}, "an earlier purge removed"},
		{"a message without a run", Messages, func(e *Evidence, _ *Limits) { e.Runs = nil }, "no run has followed it"},
		{"a message after the run", Messages, func(e *Evidence, _ *Limits) { e.Accepted[0].At = e.Now }, "no run has followed it"},
		{"a message whose run is open", Messages, func(e *Evidence, _ *Limits) { e.Runs[0].Status = "Running" }, "still open"},
		{"a phantom", Messages, func(e *Evidence, _ *Limits) { e.Copies = nil }, "the bucket has no copy"},
		{"a failure without a reason", Messages, func(e *Evidence, _ *Limits) { e.Runs[0].Status = "TimedOut" }, "without a reason"},
		{"a message that stays", Messages, func(e *Evidence, _ *Limits) { e.Queued = e.Accepted }, "still holds"},
		{"a dead letter without a reason", Messages, func(e *Evidence, _ *Limits) { e.Dead = e.Accepted }, "has no reason"},
		{"a third GET", Fetches, func(e *Evidence, o *Limits) {
			o.Crashes = 1
			s := e.Sources[hash]
			s.GETs = append(s.GETs, s.GETs[0], Served{Status: 200, Bytes: 0, Cut: true})
		}, "was read 3 times, want at most 2"},
		{"too many bytes by ranges", Fetches, func(e *Evidence, _ *Limits) {
			s := e.Sources[hash]
			s.GETs = []Served{{Status: 206, Bytes: 600}, {Status: 206, First: 600, Bytes: 400}, {Status: 206, First: 600, Bytes: 1}}
		}, "1001 bytes"},
		{"an open upload", Uploads, func(e *Evidence, _ *Limits) { e.Uploads = []Upload{{pool, hash, "key", "id"}} }, "upload id"},
		{"a stale lease", Leases, func(e *Evidence, _ *Limits) { e.Entries[0].State, e.Entries[0].Deadline = "pending", e.Now }, "without an open run"},
		{"a lease for ever", Leases, func(e *Evidence, _ *Limits) { e.Entries[0].State, e.Entries[0].TTL = "pending", -1 }, "never expires"},
		{"a lease of a day", Leases, func(e *Evidence, _ *Limits) {
			e.Entries[0].State, e.Entries[0].Deadline = "pending", e.Now.Add(24*time.Hour)
		}, "expires in 24h"},
		{"a forbidden connection", Connections, func(e *Evidence, _ *Limits) { e.Forbidden = 1 }, "1 connections"},
		{"a leak of memory", Resources, func(e *Evidence, _ *Limits) { e.Use["frontend-1"] = Usage{2e6 + 1, 50, 20} }, "of memory"},
		{"a leaked goroutine", Resources, func(e *Evidence, _ *Limits) { e.Use["frontend-1"] = Usage{1e6, 61, 20} }, "61 goroutines"},
		{"a leaked descriptor", Resources, func(e *Evidence, _ *Limits) { e.Use["frontend-1"] = Usage{1e6, 50, 26} }, "26 descriptors"},
		{"a process without metrics", Resources, func(e *Evidence, _ *Limits) { e.Use = nil }, "no metrics"},
		{"a secret in a log", Secrets, func(e *Evidence, _ *Limits) { e.Texts[0].Content += address }, "the signature is in frontend-1.log"},
		{"a secret in base64", Secrets, func(e *Evidence, _ *Limits) {
			e.Texts[0].Content += "/v1/redirect/s3/us-west-2/" + base64.URLEncoding.EncodeToString([]byte(address))
		}, "the signature is in frontend-1.log"},
		{"a secret that nothing could show", Secrets, func(_ *Evidence, o *Limits) { o.Secrets = []Secret{{Name: "a token", Text: "other"}} }, "never received a token"},
		{"a late answer", Answers, func(e *Evidence, _ *Limits) { e.Answers[0].Took = 29*time.Second + 1 }, "want at most 29s"},
		{"status 500", Answers, func(e *Evidence, _ *Limits) {
			e.Answers[0].Status, e.Answers[0].Statuses = 500, []string{"500", "5XX"}
		}, "got status 500"},
		{"an undocumented status", Answers, func(e *Evidence, _ *Limits) { e.Answers[0].Status = 502 }, "got status 502"},
		{"no response", Answers, func(e *Evidence, _ *Limits) { e.Answers[0].Err = "EOF" }, "got no response: EOF"},
		{"an exception without a reason", Bytes, func(_ *Evidence, o *Limits) { o.Except = map[string]string{Bytes: ""} }, "without a reason"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, o := clean()
			c.plant(e, &o)
			found := Check(e, o)
			require.Len(t, found, 1)
			require.Equal(t, c.check, found[0].Check)
			require.Contains(t, found[0].Text, c.text)
			require.NotContains(t, found[0].String(), secret)

			e, o = clean()
			c.plant(e, &o)
			o.Except = map[string]string{c.check: "a test"}
			require.Empty(t, Check(e, o), "an exception")
		})
	}
}

// TestFaultsExcuse has violations that a fault explains. Without the fault each is a violation.
func TestFaultsExcuse(t *testing.T) {
	hash := HashOf(address)
	for name, c := range map[string]struct {
		target string
		plant  func(e *Evidence)
	}{
		"a second GET after a kill":            {"worker-us-west-2", func(e *Evidence) { s := e.Sources[hash]; s.GETs = append(s.GETs, s.GETs[0]) }},
		"a download that a killed server cuts": {"s3-us-west-2", func(e *Evidence) { e.Answers[0].Downloaded.Err = "unexpected EOF" }},
		"no response of a killed front end":    {"frontend-1", func(e *Evidence) { e.Answers[0].Err = "EOF" }},
		"a late answer of a frozen front end": {"frontend-1", func(e *Evidence) {
			e.Answers[0].Took = 31 * time.Second
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e, o := clean()
			c.plant(e)
			require.NotEmpty(t, Check(e, o), "control: without the fault")
			e.Faults = []Fault{{Target: c.target, From: e.Runs[0].Start, To: e.Runs[0].Start.Add(2 * time.Second)}}
			require.Empty(t, Check(e, o))
			e.Faults = []Fault{{Target: c.target, From: e.Now, To: e.Now}}
			require.NotEmpty(t, Check(e, o), "a fault after the run")
		})
	}
}

// TestPooledBuffersAreBase lets workers keep buffers, and no other process.
func TestPooledBuffersAreBase(t *testing.T) {
	e, o := clean()
	o.Pooled = 5e6
	e.Base["worker-us-west-2"], e.Use["worker-us-west-2"] = Usage{Memory: 1e6}, Usage{Memory: 7e6}
	require.Empty(t, Check(e, o))
	e.Use["frontend-1"] = Usage{Memory: 7e6}
	found := Check(e, o)
	require.Len(t, found, 1)
	require.Contains(t, found[0].Text, "frontend-1")
}

func TestPurgeExcusesItsObject(t *testing.T) {
	e, o := clean()
	e.Answers[0].Downloaded.Status = 404
	e.Copies = nil
	require.Len(t, Check(e, o), 2, "control: without the purge")
	e.Purges = []Purge{{Pool: pool, Hash: HashOf(address), From: e.Runs[0].Start, To: e.Runs[0].Close}}
	require.Empty(t, Check(e, o))
	e.Purges[0].Pool = "s3_us-east-1"
	require.Len(t, Check(e, o), 2, "a purge in another pool")
}

// TestSmallObjectsAreReadAgain has a first request with a minimum that the object does not have.
func TestSmallObjectsAreReadAgain(t *testing.T) {
	e, o := clean()
	s := e.Sources[HashOf(address)]
	s.GETs = append(s.GETs, s.GETs[0])
	require.Len(t, Check(e, o), 2, "control: without a run that found it too small")
	small := e.Runs[0]
	small.TooSmall = true
	e.Runs = append(e.Runs, small)
	require.Empty(t, Check(e, o))
}

func TestMessagesShowPurges(t *testing.T) {
	e, _ := clean()
	at, hash := e.Runs[0].Start, HashOf(address)
	e.Purges = []Purge{{Pool: pool, Hash: hash, From: at.Add(-time.Second), To: at.Add(time.Second)}}
	e.Accepted = []Message{{At: at, Pool: pool, Hash: hash, Action: "purge"}, {At: e.Now, Pool: pool, Hash: hash, Action: "purge"}}
	e.addPurges()
	require.Len(t, e.Purges, 2, "the journal knows the first")
	require.Equal(t, e.Now, e.Purges[1].From)
}

func TestLargeObjectsHaveAFirstResponseThatIsClosedUnread(t *testing.T) {
	e, o := clean()
	s := e.Sources[HashOf(address)]
	s.Size = large + 1
	first := Served{Status: 200, Bytes: 5000, Cut: true}
	s.GETs = []Served{first, {Status: 206, Bytes: s.Size}}
	require.Empty(t, Check(e, o))
	s.GETs = append(s.GETs, first)
	found := Check(e, o)
	require.Len(t, found, 1, "a second such response is no first one")
	require.Equal(t, Fetches, found[0].Check)
}

// TestBytesOnTheirWayAreSentTwice has the product give up a connection and continue the range.
func TestBytesOnTheirWayAreSentTwice(t *testing.T) {
	for name, tc := range map[string]struct {
		cut  bool
		at   int64 // The first byte of the continuation
		want int
	}{
		"on their way":      {true, large - mostOnTheirWay, 0},
		"too many":          {true, large - mostOnTheirWay - 1, 1},
		"a whole range":     {false, large - 1, 1},
		"from its start":    {true, 0, 1},
		"all were received": {true, large, 0},
	} {
		t.Run(name, func(t *testing.T) {
			e, o := clean()
			s := e.Sources[HashOf(address)]
			s.Size = 2 * large
			s.GETs = []Served{{Status: 206, Bytes: large, Cut: tc.cut}, {Status: 206, First: tc.at, Bytes: 2*large - tc.at}}
			require.Len(t, Check(e, o), tc.want)
		})
	}
}

// TestSpellings finds a text in an encoded longer text, at each offset.
func TestSpellings(t *testing.T) {
	const text = "tok?en~with>all"
	for _, before := range []string{"", "a", "ab", "abc"} {
		whole := []byte(before + text + "zzz")
		for name, encoded := range map[string]string{
			"plain": string(whole), "base64": base64.StdEncoding.EncodeToString(whole), "base64url": base64.RawURLEncoding.EncodeToString(whole),
			"query": url.QueryEscape(string(whole)), "hex": hex.EncodeToString(whole),
		} {
			require.True(t, containsAny(encoded, spellings(text)), "%s after %q: %s", name, before, encoded)
			require.False(t, containsAny(encoded, spellings("tok?en~with=all")), "control: %s", name)
		}
	}
}

// TestOvertakenRunFinishesAPurge has a run find out at its end that its object was purged before.
func TestOvertakenRunFinishesAPurge(t *testing.T) {
	e, o := clean()
	for i := range e.Answers {
		if d := e.Answers[i].Downloaded; d != nil {
			d.Status = 404
		}
	}
	run := e.Runs[0]
	run.Status, run.Reason = "Failed", "object was purged after this generation"
	e.Runs = append(e.Runs, run)
	require.NotEmpty(t, Check(e, o), "control: without the purge")
	e.addPurges()
	require.Empty(t, Check(e, o))
}

// TestDeferredPurgeExcusesItsObject has a workflow finish a purge after its request has ended.
func TestDeferredPurgeExcusesItsObject(t *testing.T) {
	e, o := clean()
	e.Copies = nil
	require.Len(t, Check(e, o), 1, "control: without the purge")
	finished := e.Runs[0]
	finished.Type, finished.Start, finished.Close = purgeWorkflow, e.Runs[0].Close, e.Runs[0].Close.Add(time.Minute)
	e.Runs = append(e.Runs, finished)
	e.addPurges()
	require.Empty(t, Check(e, o))
	require.Equal(t, finished.Close, e.Purges[0].To)
	s := e.Sources[HashOf(address)]
	s.GETs = append(s.GETs, s.GETs[0])
	require.Empty(t, Check(e, o), "a purge allows one more GET")
	s.GETs = append(s.GETs, s.GETs[0])
	require.NotEmpty(t, Check(e, o), "and no second one")
}

// TestLostRepliesAreSentAgain has net/http send a GET again on idle connections.
func TestLostRepliesAreSentAgain(t *testing.T) {
	e, o := clean()
	s := e.Sources[HashOf(address)]
	for range mostResends {
		s.GETs = append(s.GETs, s.GETs[0])
	}
	require.NotEmpty(t, Check(e, o), "control: without the fault")
	lost := Fault{Target: "origin", Kind: "lose", From: s.GETs[0].From, To: s.GETs[0].To}
	e.Faults = []Fault{lost}
	require.Empty(t, Check(e, o))
	s.GETs = append(s.GETs, s.GETs[0], s.GETs[0])
	require.NotEmpty(t, Check(e, o), "too many")
	e.Faults = []Fault{{Target: "origin", Kind: "slow", From: lost.From, To: lost.To}}
	require.NotEmpty(t, Check(e, o), "another fault")
}
