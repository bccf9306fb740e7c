package region_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/region"
)

func TestLocate(t *testing.T) {
	path := tempFile(t, ipRanges(
		"198.51.100.0/24 us-west-2",
		"198.51.100.0/24 us-west-2",
		"198.51.100.64/26 us-east-1",
		"198.51.100.65/32 GLOBAL",
		"198.51.100.80/28 ",
		"203.0.113.0/24 GLOBAL",
		"203.0.113.0/24 eu-west-1",
		"203.0.113.0/24 GLOBAL",
		"192.0.2.7/24 ap-south-1", // AWS's example has host bits as well
		"192.0.2.128/25 mars-1",
		"100.64.0.0/10 eu-west-1",
		"100.64.0.0/16 us-east-1",
		"100.64.0.0/16 us-west-2",
		"100.64.0.0/16 us-west-2",
		"100.64.9.0/24 us-west-2",
		"2001:db8::/32 us-west-2",
		"2001:db8:1::/48 us-east-1",
		"2001:db8:1:1::/64 GLOBAL",
		"::/1 eu-west-1",
	))
	for name, tc := range map[string]struct {
		client, region, withDefault string
	}{
		"IPv4":                                         {"198.51.100.1:567", "us-west-2", "us-west-2"},
		"IPv4, the last address of a prefix":           {"198.51.100.255:567", "us-west-2", "us-west-2"},
		"IPv4, without a port":                         {"198.51.100.1", "us-west-2", "us-west-2"},
		"a more specific prefix wins":                  {"198.51.100.127:567", "us-east-1", "us-east-1"},
		"above a more specific prefix":                 {"198.51.100.128:567", "us-west-2", "us-west-2"},
		"GLOBAL does not hide a region":                {"198.51.100.65:567", "us-east-1", "us-east-1"},
		"an empty region does not hide a region":       {"198.51.100.80:567", "us-east-1", "us-east-1"},
		"GLOBAL and a region for one prefix":           {"203.0.113.1:567", "eu-west-1", "eu-west-1"},
		"mapped IPv4":                                  {"[::ffff:198.51.100.1]:567", "us-west-2", "us-west-2"},
		"the nearest pool":                             {"192.0.2.1:567", "eu-west-1", "eu-west-1"},
		"a region without a pool near it":              {"192.0.2.129:567", "", "us-west-2"},
		"two regions for one prefix":                   {"100.64.0.1:567", "", "us-west-2"},
		"more specific than a prefix with two regions": {"100.64.9.1:567", "us-west-2", "us-west-2"},
		"less specific than a prefix with two regions": {"100.65.0.1:567", "eu-west-1", "eu-west-1"},
		"IPv6":                                {"[2001:db8::1]:567", "us-west-2", "us-west-2"},
		"IPv6, a more specific prefix wins":   {"[2001:db8:1::1]:567", "us-east-1", "us-east-1"},
		"IPv6, GLOBAL does not hide a region": {"[2001:db8:1:1::1]:567", "us-east-1", "us-east-1"},
		"IPv6 with a zone":                    {"[2001:db8:1::1%eth0]:567", "us-east-1", "us-east-1"},
		"IPv6 is not IPv4":                    {"[::c633:6401]:567", "eu-west-1", "eu-west-1"},
		"an IPv6 address outside":             {"[fe80::1]:567", "", "us-west-2"},
		"an IPv4 address outside":             {"10.0.0.1:567", "", "us-west-2"},
		"not an address":                      {"@", "", "us-west-2"},
		"empty":                               {"", "", "us-west-2"},
	} {
		t.Run(name, func(t *testing.T) {
			o := region.Options{
				IPRanges: path, Pools: []string{"us-west-2", "us-east-1", "eu-west-1"},
				Nearest: map[string]string{"ap-south-1": "eu-west-1"},
			}
			got, ok := newLocator(t, o).Locate(requestFrom(tc.client))
			require.Equal(t, tc.region, got)
			require.Equal(t, tc.region != "", ok)

			o.Default = "us-west-2"
			got, ok = newLocator(t, o).Locate(requestFrom(tc.client))
			require.Equal(t, tc.withDefault, got)
			require.True(t, ok)
		})
	}
}

func TestLocateBehindProxies(t *testing.T) {
	o := region.Options{
		IPRanges: tempFile(t, ipRanges("198.51.100.0/24 us-west-2", "203.0.113.0/24 us-east-1")),
		Pools:    []string{"us-west-2", "us-east-1"},
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "198.51.100.1:567"
	r.Header.Add("x-forwarded-for", "203.0.113.1")
	got, _ := newLocator(t, o).Locate(r)
	require.Equal(t, "us-west-2", got, "without proxies the header is the client's claim")

	o.TrustedHops = 1
	l := newLocator(t, o)
	got, _ = l.Locate(r)
	require.Equal(t, "us-east-1", got)

	r.Header.Del("X-Forwarded-For")
	_, ok := l.Locate(r)
	require.False(t, ok, "the region of the proxy is not the client's")
}

func TestChooseWithoutADocument(t *testing.T) {
	l, err := region.New(region.Options{IPRanges: "later.json", Pools: []string{"us-west-2"}, Default: "us-west-2"})
	require.NoError(t, err)
	got, ok := l.Choose(netip.MustParseAddr("198.51.100.1"))
	require.Equal(t, "us-west-2", got)
	require.True(t, ok)
	require.Zero(t, l.Prefixes())
}

func TestChooseNormalizesAddresses(t *testing.T) {
	path := tempFile(t, ipRanges("198.51.100.0/24 us-west-2", "fe80::/10 us-west-2"))
	l := newLocator(t, region.Options{IPRanges: path, Pools: []string{"us-west-2"}})
	for _, a := range []string{"198.51.100.1", "::ffff:198.51.100.1", "fe80::1", "fe80::1%eth0"} {
		_, ok := l.Choose(netip.MustParseAddr(a))
		require.True(t, ok, a)
	}
	_, ok := l.Choose(netip.Addr{})
	require.False(t, ok)
	require.Equal(t, 2, l.Prefixes())
}

func TestLoadRejectsInvalidDocuments(t *testing.T) {
	good := "198.51.100.0/24 us-west-2"
	for name, tc := range map[string]struct{ body, why string }{
		"not JSON":                        {"<html>", "not a document of IP ranges: invalid character"},
		"empty":                           {"", "not a document of IP ranges: unexpected end"},
		"cut off":                         {ipRanges(good)[:60], "not a document of IP ranges: unexpected end"},
		"two documents":                   {ipRanges(good) + ipRanges(good), "not a document of IP ranges: invalid character"},
		"another document":                {`{"prefixes": {"a": "b"}}`, "not a document of IP ranges: json:"},
		"null":                            {"null", "no prefix with a region"},
		"no prefix":                       {ipRanges(), "no prefix with a region"},
		"only GLOBAL":                     {ipRanges("198.51.100.0/24 GLOBAL"), "no prefix with a region"},
		"a bad prefix":                    {ipRanges(good, "198.51.100.0/33 us-west-2"), `"198.51.100.0/33" is not an IPv4 prefix`},
		"a bad prefix, GLOBAL":            {ipRanges(good, "198.51.100.0 GLOBAL"), `"198.51.100.0" is not an IPv4 prefix`},
		"a bad IPv6 prefix":               {ipRanges(good, "2001:db8::/129 us-west-2"), `"2001:db8::/129" is not an IPv6 prefix`},
		"a mapped prefix":                 {ipRanges(good, "::ffff:0:0/96 us-west-2"), `"::ffff:0:0/96" is not an IPv6 prefix`},
		"no prefix in an entry":           {`{"prefixes": [{"region": "us-west-2"}]}`, `"" is not an IPv4 prefix`},
		"IPv6 in IPv4's list":             {`{"prefixes": [{"ip_prefix": "::/0"}]}`, `"::/0" is not an IPv4 prefix`},
		"IPv4 in IPv6's list":             {`{"ipv6_prefixes": [{"ipv6_prefix": "0.0.0.0/0"}]}`, `"0.0.0.0/0" is not an IPv6 prefix`},
		"too large":                       {ipRanges(good) + strings.Repeat(" ", 1000), "more than 1000 bytes"},
		"not too large, positive control": {ipRanges(good) + strings.Repeat(" ", 1000-len(ipRanges(good))), ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := tempFile(t, tc.body)
			l, err := region.New(region.Options{IPRanges: path, Pools: []string{"us-west-2"}, MaxBytes: 1000})
			require.NoError(t, err)
			err = l.Load(t.Context())
			if tc.why == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "load IP ranges from "+path+": "+tc.why)
			require.Zero(t, l.Prefixes())
		})
	}
}

func TestNewRejectsInvalidOptions(t *testing.T) {
	for why, change := range map[string]func(*region.Options){
		"":                    func(*region.Options) {},
		"no source":           func(o *region.Options) { o.IPRanges = "" },
		"not a usable URL":    func(o *region.Options) { o.IPRanges = "https://" },
		"s3 is not supported": func(o *region.Options) { o.IPRanges = "s3://bucket/ranges.json" },
		"no region has":       func(o *region.Options) { o.Pools = nil },
		`"" is not the`:       func(o *region.Options) { o.Pools = append(o.Pools, "") },
		`"GLOBAL" is not`:     func(o *region.Options) { o.Pools = append(o.Pools, "GLOBAL") },
		"its own pool":        func(o *region.Options) { o.Nearest = map[string]string{"us-west-2": "us-east-1"} },
		`"mars-1" has none`:   func(o *region.Options) { o.Nearest = map[string]string{"eu-west-1": "mars-1"} },
		`"eu-west-2" has`: func(o *region.Options) {
			o.Nearest = map[string]string{"mars-1": "eu-west-2", "eu-west-2": "us-east-1"}
		},
		"is not a region":    func(o *region.Options) { o.Nearest = map[string]string{"": "us-east-1"} },
		`"mars-1" has no`:    func(o *region.Options) { o.Default = "mars-1" },
		"be negative":        func(o *region.Options) { o.TrustedHops = -1 },
		"must not be":        func(o *region.Options) { o.Reload = -time.Second },
		"timeout":            func(o *region.Options) { o.Timeout = -time.Second },
		"size and trusted":   func(o *region.Options) { o.MaxBytes = -1 },
		"default region: \"": func(o *region.Options) { o.Default = "GLOBAL" },
	} {
		t.Run(why, func(t *testing.T) {
			o := region.Options{
				IPRanges: "ranges.json", Pools: []string{"us-west-2", "us-east-1"}, Default: "us-west-2",
				Nearest: map[string]string{"us-west-1": "us-west-2"},
			}
			change(&o)
			_, err := region.New(o)
			if why == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, why)
		})
	}
}
