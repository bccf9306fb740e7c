package region_test

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/region"
)

// random returns a seeded source of random numbers. TEST_SEED repeats the numbers of a failed test.
func random(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("TEST_SEED"); given != "" {
		var err error
		seed, err = strconv.ParseUint(given, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// randomAddr returns an address of only four different bytes, so that prefixes contain each other.
func randomAddr(r *rand.Rand, size int) netip.Addr {
	bytes := make([]byte, size)
	for i := range bytes {
		bytes[i] = []byte{0, 1, 0x80, 0xff}[r.IntN(4)]
	}
	a, _ := netip.AddrFromSlice(bytes)
	return a
}

type entry struct {
	prefix netip.Prefix
	region string
}

func randomEntries(r *rand.Rand, n int, regions []string) []entry {
	var all []entry
	for range n {
		a := randomAddr(r, []int{4, 16}[r.IntN(2)])
		if a.Is4In6() {
			continue
		}
		all = append(all, entry{netip.PrefixFrom(a, r.IntN(a.BitLen()+1)), regions[r.IntN(len(regions))]})
	}
	return all
}

func toDocument(all []entry) string {
	var lines []string
	for _, e := range all {
		lines = append(lines, e.prefix.String()+" "+e.region)
	}
	return ipRanges(lines...)
}

// scan finds an address's region without a trie. It returns "" for no region, and "?" if the
// longest prefix has several.
func scan(all []entry, a netip.Addr) string {
	longest, found := -1, ""
	for _, e := range all {
		if e.region == "" || e.region == "GLOBAL" || !e.prefix.Contains(a) || e.prefix.Bits() < longest {
			continue
		}
		if e.prefix.Bits() == longest && e.region != found {
			found = "?"
			continue
		}
		longest, found = e.prefix.Bits(), e.region
	}
	return found
}

func TestTrieAgreesWithAScan(t *testing.T) {
	r := random(t)
	pools := []string{"us-west-2", "us-east-1", "eu-west-1"}
	path := filepath.Join(t.TempDir(), "ranges.json")
	found := map[string]int{}
	for range 40 {
		all := randomEntries(r, 2+r.IntN(300), append(pools, "GLOBAL", ""))
		all = append(all, entry{netip.MustParsePrefix("192.0.2.0/24"), "us-west-2"}) // at least one prefix has a region
		replaceFile(t, path, toDocument(all))
		l := newLocator(t, region.Options{IPRanges: path, Pools: pools})
		for i := range 500 {
			a := randomAddr(r, []int{4, 16}[r.IntN(2)])
			if i < len(all) {
				a = all[i].prefix.Masked().Addr()
			}
			want := scan(all, a.Unmap())
			found[want]++
			got, ok := l.Choose(a)
			if want == "?" {
				want = ""
			}
			require.Equal(t, want, got, "%s among %v", a, all)
			require.Equal(t, want != "", ok)
		}
	}
	for _, want := range append(pools, "", "?") {
		require.NotZero(t, found[want], "no address was in %q", want)
	}
}

func TestForwardedForAgreesWithASplit(t *testing.T) {
	r := random(t)
	parts := []string{"198.51.100.1", "203.0.113.9", "2001:db8::1", " ", ",", ",", "", "x"}
	known := 0
	for range 20_000 {
		lines := make([]string, r.IntN(4))
		for i := range lines {
			for range r.IntN(5) {
				lines[i] += parts[r.IntN(len(parts))]
			}
		}
		hops := 1 + r.IntN(5)
		var want netip.Addr
		split := strings.Split(strings.Join(lines, ","), ",")
		if len(lines) > 0 && len(split) >= hops {
			want, _ = netip.ParseAddr(strings.TrimSpace(split[len(split)-hops]))
		}
		got, ok := region.ClientAddr("192.0.2.1:567", lines, hops)
		require.Equal(t, want, got, "%d hops, %q", hops, lines)
		require.Equal(t, want.IsValid(), ok)
		if ok {
			known++
		}
	}
	require.Greater(t, known, 1000)
}

// manyPrefixes is about the number of prefixes in AWS's document.
const manyPrefixes = 10_000

// largeLocator returns a locator with many prefixes, and the addresses of clients that are in them.
func largeLocator(t testing.TB) (*region.Locator, []string) {
	r := rand.New(rand.NewPCG(1, 2))
	pools := []string{"us-west-2", "us-east-1", "eu-west-1"}
	seen, all, clients := map[netip.Prefix]bool{}, []entry{}, []string{}
	for len(all) < manyPrefixes {
		size, most := 4, 24
		if r.IntN(4) == 0 {
			size, most = 16, 56
		}
		bytes := make([]byte, size)
		for i := range bytes {
			bytes[i] = byte(r.Uint32())
		}
		a, _ := netip.AddrFromSlice(bytes)
		p, err := a.Prefix(most - r.IntN(10))
		require.NoError(t, err)
		if seen[p] {
			continue
		}
		seen[p] = true
		all = append(all, entry{p, pools[len(all)%len(pools)]})
		clients = append(clients, netip.AddrPortFrom(a, 567).String())
	}
	path := filepath.Join(t.TempDir(), "ranges.json")
	require.NoError(t, os.WriteFile(path, []byte(toDocument(all)), 0o600))
	l := newLocator(t, region.Options{IPRanges: path, Pools: pools})
	require.Equal(t, manyPrefixes, l.Prefixes())
	return l, clients
}

func TestLocateAllocatesNothing(t *testing.T) {
	l, clients := largeLocator(t)
	for _, client := range clients[:100] {
		r := requestFrom(client, "203.0.113.9")
		require.Zero(t, testing.AllocsPerRun(10, func() { _, _ = l.Locate(r) }), client)
		_, ok := l.Locate(r)
		require.True(t, ok, client)
	}
}

func BenchmarkLocate(b *testing.B) {
	l, clients := largeLocator(b)
	r := requestFrom("", "203.0.113.9")
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		r.RemoteAddr = clients[i%len(clients)]
		i++
		if _, ok := l.Locate(r); !ok {
			b.Fatal(r.RemoteAddr)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	l, _ := largeLocator(b)
	for b.Loop() {
		require.NoError(b, l.Load(b.Context()))
	}
}
