package distrust_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

var seed = flag.Uint64("seed", 0, "seed of the random test; 0 is a new one")

// planted is in every text that the tests plant. No client may read it.
const planted = "evil.test"

// hostile plants random values in redis.
type hostile struct {
	*rand.Rand
	f *fixture
}

// plant writes a random value to one of the object's keys.
func (h hostile) plant(t *testing.T, source string) {
	t.Helper()
	key := h.f.key(source)
	var err error
	switch h.IntN(12) {
	case 0:
		err = h.f.redis.Set(t.Context(), key+":generation", h.number(), h.ttl()).Err()
	case 1:
		err = h.f.redis.HSet(t.Context(), key+":row", "run", planted, "class", planted, "all", h.number(), "same", h.number()).Err()
	case 2:
		h.wrongType(t, key+h.pick("", ":generation", ":row", ":verified"))
	case 3:
		err = h.f.redis.Set(t.Context(), key+":verified", planted, h.ttl()).Err()
	case 4:
		err = h.f.redis.Set(t.Context(), key, h.bytes(h.IntN(100)), h.ttl()).Err()
	case 5:
		err = h.f.redis.SetRange(t.Context(), key, int64(h.IntN(1<<20)), planted).Err()
	case 6, 7:
		err = h.f.redis.Set(t.Context(), key, h.mutate(h.valid(t, key)), h.ttl()).Err()
	default:
		err = h.f.redis.Set(t.Context(), key, h.edit(h.valid(t, key)), h.ttl()).Err()
	}
	if err != nil && !strings.HasPrefix(err.Error(), "WRONGTYPE") { // An earlier value's type.
		require.NoError(t, err)
	}
}

func (h hostile) pick(all ...string) string { return all[h.IntN(len(all))] }

func (h hostile) ttl() time.Duration {
	return []time.Duration{0, time.Millisecond, time.Hour}[h.IntN(3)]
}

func (h hostile) number() string {
	return h.pick("0", "-1", "1", "abc", "9e18", "9000000000000000000", "9223372036854775807", "92233720368547758070", "1e400", "nan",
		"", fmt.Sprint(time.Now().UnixMilli()), fmt.Sprint(time.Now().Add(24*time.Hour).UnixMilli()))
}

func (h hostile) bytes(n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(h.IntN(256))
	}
	return string(out)
}

func (h hostile) wrongType(t *testing.T, key string) {
	t.Helper()
	require.NoError(t, h.f.redis.Del(t.Context(), key).Err())
	switch h.IntN(4) {
	case 0:
		require.NoError(t, h.f.redis.RPush(t.Context(), key, planted).Err())
	case 1:
		require.NoError(t, h.f.redis.HSet(t.Context(), key, planted, planted).Err())
	case 2:
		require.NoError(t, h.f.redis.SAdd(t.Context(), key, planted).Err())
	default:
		require.NoError(t, h.f.redis.ZAdd(t.Context(), key, redis.Z{Member: planted}).Err())
	}
}

// valid returns the value of a random entry, as a process of the deployment writes it.
func (h hostile) valid(t *testing.T, key string) string {
	t.Helper()
	now, rules := time.Now(), cachetest.Rules()
	all := []cache.Entry{
		rules.Present(now, cache.Copy{Expires: now.Add(2 * time.Hour), Size: 5, SHA256: strings.Repeat("ab", 32)}),
		rules.Pending(now, planted, 1, 2),
		rules.Failed(now, cache.Reason{Class: "BadHTTPStatus", Status: 404, AboutObject: true, Text: planted}),
		rules.Unmirrorable(now, cache.Reason{Class: "SourceTruncated", Text: planted}),
		rules.Transient(now, 1, cache.Reason{Class: "SourceUnreachable", Text: planted}),
		rules.TooSmall(now, 5),
	}
	require.NoError(t, h.f.redis.Del(t.Context(), key, key+":generation").Err())
	require.NoError(t, h.f.cache.Put(t.Context(), key, cache.AnyGeneration, all[h.IntN(len(all))]))
	return h.f.redis.Get(t.Context(), key).Val()
}

// mutate changes some bytes.
func (h hostile) mutate(value string) string {
	out := []byte(value)
	for range h.IntN(4) {
		switch i := h.IntN(len(out)); h.IntN(3) {
		case 0:
			out[i] = byte(h.IntN(256))
		case 1:
			out = slices.Delete(out, i, min(len(out), i+1+h.IntN(5)))
		default:
			out = slices.Insert(out, i, []byte(h.bytes(h.IntN(5)))...)
		}
		if len(out) == 0 {
			break
		}
	}
	return string(out)
}

// edit sets one or two fields to values of a hostile writer.
func (h hostile) edit(value string) string {
	state, data, _ := strings.Cut(value, " ")
	fields := map[string]any{}
	if json.Unmarshal([]byte(data), &fields) != nil {
		return value
	}
	for range 1 + h.IntN(2) {
		field := h.pick("i", "d", "e", "s", "sha256", "owner", "done", "total", "low", "class", "status", "aboutObject", "permanent",
			"unmirrorable", "text", "url", "location", "redirect")
		all := []any{
			"https://" + planted + "/", planted, "\r\nLocation: https://" + planted, "<script>" + planted, "", nil, true, -1, 0, 1, 200,
			302, 404, 410, 499, 500, 599, int64(9e18), 1e300, 5.5, time.Now().Add(30 * time.Second).UnixMilli(),
			time.Now().Add(1000 * time.Hour).UnixMilli(), []string{planted}, map[string]string{"url": planted}, "InvalidUrl", "BadHTTPStatus",
		}
		fields[field] = all[h.IntN(len(all))]
	}
	if h.IntN(10) == 0 {
		state = h.pick("present", "pending", "error", planted, "")
	}
	edited, err := json.Marshal(fields)
	if err != nil {
		return value
	}
	return state + " " + string(edited)
}

// request sends a random request about the object.
func (h hostile) request(t *testing.T, source string) (what string, w *httptest.ResponseRecorder) {
	t.Helper()
	path := "s3/us-west-2/" + url.QueryEscape(source)
	switch h.IntN(9) {
	case 8:
		return "details", h.f.details(t, source)
	case 0:
		return "status", h.f.ask(t, http.MethodGet, "/v1/status/"+path, "")
	case 1:
		return "copies", h.f.ask(t, http.MethodPost, "/v1/copies", `{"url":"`+source+`","regions":["us-west-2"]}`)
	case 2:
		return "purge", h.f.ask(t, http.MethodDelete, "/v1/purge/"+path, "")
	case 3:
		return "redirect", h.f.ask(t, http.MethodHead, "/v1/redirect/"+path+"?max_wait=0", "")
	default:
		return "redirect", h.f.redirect(t, source)
	}
}

// TestNoValueInRedisBreaksTheContract plants thousands of random values, and sends a request after
// each.
func TestNoValueInRedisBreaksTheContract(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", *seed)
	f := newFixture(t, deployment{fmt.Sprint("t", time.Now().UnixNano()%1e12), "", "mirror-us-west-2"})
	h := hostile{rand.New(rand.NewPCG(*seed, 0)), f}
	const rounds = 6000
	seen := map[string]int{}
	for i := range rounds {
		source := fmt.Sprint("https://example.com/", i%7)
		if i%500 == 0 { // The control: the next request is a hit.
			key := f.key(source)
			require.NoError(t, f.redis.Del(t.Context(), key, key+":generation").Err())
			require.NoError(t, f.cache.Put(t.Context(), key, 0, cachetest.Rules().Present(time.Now(), cache.Copy{})))
			require.Equal(t, f.location(source), f.redirect(t, source).Header().Get("Location"))
		}
		h.plant(t, source)
		what, w := h.request(t, source)
		location := w.Header().Get("Location")
		about := fmt.Sprintf("round %d, %s: %d %s %s", i, what, w.Code, location, w.Body)
		if what == "details" && operatorText(t, w) {
			seen["details planted"]++
		}
		require.NotContains(t, w.Body.String(), planted, about)
		require.NotContains(t, fmt.Sprint(w.Header()), planted, about)
		switch what {
		case "redirect":
			requireRedirect(t, f, source, w, about)
		case "purge":
			require.Contains(t, []int{http.StatusOK, http.StatusNoContent}, w.Code, about)
		default:
			require.Equal(t, http.StatusOK, w.Code, about)
			require.Empty(t, location, about)
			requireKnownClasses(t, w, about)
		}
		switch {
		case location == f.location(source):
			what += " copy"
		case location == source:
			what += " source"
		default:
			what += fmt.Sprint(" ", w.Code)
		}
		seen[what]++
	}
	t.Log(seen, f.undecodable.Load(), "undecodable")
	for _, what := range []string{"redirect copy", "redirect source", "redirect 404", "status 200", "copies 200", "details 200", "details planted"} {
		require.Greater(t, seen[what], 20, "control: %s of %v", what, seen)
	}
	require.Greater(t, f.undecodable.Load(), int64(rounds/10), "control: most values are undecodable")
	require.Zero(t, f.breaker.Load(), "the breaker opened")
}

// operatorText takes the fields for operators out of a status, and reports whether they hold a
// planted text. They are strings, and no other field may hold such a text.
func operatorText(t *testing.T, w *httptest.ResponseRecorder) bool {
	t.Helper()
	require.Equal(t, "application/json; charset=utf-8", w.Header().Get("Content-Type"))
	var body map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body))
	found := false
	for _, field := range []string{"cause", "owner"} {
		if value, ok := body[field]; ok {
			require.IsType(t, "", value)
			found = found || strings.Contains(fmt.Sprint(value), planted)
			delete(body, field)
		}
	}
	rest, err := json.Marshal(body)
	require.NoError(t, err)
	w.Body = bytes.NewBuffer(rest)
	return found
}

// requireRedirect checks the answer to a redirect request. A planted error can forge a 4xx of the
// source, or that its URL is not allowed: values have no signature.
func requireRedirect(t *testing.T, f *fixture, source string, w *httptest.ResponseRecorder, about string) {
	t.Helper()
	if w.Code == http.StatusFound {
		require.Contains(t, []string{source, f.location(source)}, w.Header().Get("Location"), about)
		return
	}
	require.GreaterOrEqual(t, w.Code, 400, about)
	require.LessOrEqual(t, w.Code, 499, about)
	require.Empty(t, w.Header().Get("Location"), about)
	requireKnownClasses(t, w, about)
}

// requireKnownClasses checks the error class in a body.
func requireKnownClasses(t *testing.T, w *httptest.ResponseRecorder, about string) {
	t.Helper()
	if w.Body.Len() == 0 {
		return
	}
	var body struct {
		Err, Code string
		Error     any
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &body), about)
	class := body.Err + body.Code
	switch e := body.Error.(type) {
	case string:
		class += e
	case map[string]any:
		class += fmt.Sprint(e["code"])
	}
	if class != "" {
		require.Contains(t, cache.Classes(), class, about)
	}
}
