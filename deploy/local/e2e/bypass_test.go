package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOperatorSwitchesCopiesOff switches off a host and then a pool, and switches them on again. The
// front ends keep running.
func TestOperatorSwitchesCopiesOff(t *testing.T) {
	s, other := newSource(t, 1000, nil), newSource(t, 1000, nil)
	host := strings.TrimPrefix(s.URL, "http://")
	copied, cold := s.object(), s.object()
	requireCopy(t, s, west, ask(t, west, copied, ""))

	off := func(object string) bool {
		a := ask(t, west, object, "?max_wait=0")
		return a.status == http.StatusFound && a.location == object &&
			a.header.Get("Cache-Status") == `cloud-mirror; fwd=bypass; detail="switched off"`
	}
	out := mustOperate(t, "bypass", "add", "--host", host, "--for", "10m")
	t.Cleanup(func() { _, _ = operate(t, "bypass", "remove", "--host", host) })
	require.Contains(t, out, "host:"+host+": switched off until ")
	eventually(t, func() bool { return off(copied) }, "front ends know the bypass")
	heads := s.count(http.MethodHead)
	for range 20 {
		require.True(t, off(cold))
	}
	require.Contains(t, mustOperate(t, "bypass", "list"), "host:"+host)
	requireCopy(t, other, west, ask(t, west, other.object(), ""))
	require.Equal(t, 1, s.count(http.MethodGet), "no copy was made")
	require.Equal(t, heads, s.count(http.MethodHead))
	require.Len(t, runsOf(t, s), 1)

	out = mustOperate(t, "bypass", "remove", "--host", host)
	require.Contains(t, out, "host:"+host+": switched on")
	eventually(t, func() bool { return !off(copied) }, "the host is switched on")
	requireCopy(t, s, west, ask(t, west, copied, ""))
	eventually(t, func() bool { return ask(t, west, cold, "").isCopy() }, "cold objects are copied again")

	mustOperate(t, "bypass", "add", "--pool", "s3_"+west, "--for", "4s")
	eventually(t, func() bool { return off(copied) }, "front ends know the bypass")
	requireCopy(t, s, east, ask(t, east, copied, ""))
	added := time.Now()
	eventually(t, func() bool { return !off(copied) }, "the bypass ends by itself")
	require.Less(t, time.Since(added), 10*time.Second)

	for _, bad := range [][]string{
		{"bypass", "add", "--pool", "s3_mars"}, {"bypass", "add", "--host", "http://a/"}, {"bypass", "add"},
		{"bypass", "add", "--host", "a", "--for", "60d"}, {"bypass", "remove", "--host", "never.example.com"},
	} {
		_, err := operate(t, bad...)
		require.Error(t, err, bad)
	}
}
