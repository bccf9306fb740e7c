package savings

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// prices are easy to compute with.
var prices = config.Prices{
	RegionGB: 2, NATGB: 5, StorageGBMonth: 0.5, Puts1000: 1000, Gets1000: 100, Actions1000: 10, CopyPuts: 1, CopyGets: 2, CopyActions: 4,
}

func TestBalance(t *testing.T) {
	a := Amounts{RedirectedBytes: 100 * gb, Redirects: 1000, CopiedBytes: 10 * gb, Copies: 20}
	month := config.S3{LifespanDays: 30, PartSize: gb}
	for name, tc := range map[string]struct {
		s3      config.S3
		path    Path
		amounts Amounts
		want    Balance
	}{
		"through NAT":        {month, PathNAT, a, Balance{SavedNAT: 450, Requests: 30 + 104, Storage: 5, Temporal: 0.8}},
		"across regions":     {month, PathRegion, a, Balance{SavedRegion: 180, Requests: 30 + 104, Storage: 5, Temporal: 0.8}},
		"both":               {month, PathBoth, a, Balance{SavedNAT: 450, SavedRegion: 180, Requests: 30 + 104, Storage: 5, Temporal: 0.8}},
		"for ten days":       {config.S3{LifespanDays: 10, PartSize: gb}, PathNAT, a, Balance{SavedNAT: 450, Requests: 30 + 104, Storage: 5.0 / 3, Temporal: 0.8}},
		"for ever":           {config.S3{PartSize: gb}, PathNAT, a, Balance{SavedNAT: 450, Requests: 30 + 104, Storage: 60, Temporal: 0.8}},
		"copied in vain":     {month, PathNAT, Amounts{CopiedBytes: 10 * gb, Copies: 20}, Balance{SavedNAT: -50, Requests: 30 + 4, Storage: 5, Temporal: 0.8}},
		"redirected to once": {month, PathNAT, Amounts{CopiedBytes: gb, Copies: 1, RedirectedBytes: gb, Redirects: 1}, Balance{Requests: 2 + 0.3, Storage: 0.5, Temporal: 0.04}},
		"nothing":            {month, PathBoth, Amounts{}, Balance{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := newTariff(prices, tc.s3, tc.path).balance(tc.amounts)
			for kind, pair := range map[string][2]float64{
				"NAT": {tc.want.SavedNAT, got.SavedNAT}, "region": {tc.want.SavedRegion, got.SavedRegion},
				"requests": {tc.want.Requests, got.Requests}, "storage": {tc.want.Storage, got.Storage}, "Temporal": {tc.want.Temporal, got.Temporal},
			} {
				require.InDelta(t, pair[0], pair[1], 1e-9, kind)
			}
		})
	}
}

func TestMoney(t *testing.T) {
	lost := newTariff(prices, config.S3{PartSize: gb}, PathNAT).balance(Amounts{CopiedBytes: gb, Copies: 1})
	for want, f := range map[string]float64{
		"-5.00": lost.SavedNAT, "0.00": lost.SavedRegion, "<0.01": 0.004, "-0.00": -0.004, "-0.01": -0.01, "1234.57": 1234.567,
	} {
		require.Equal(t, want, Money(f))
	}
}

// An object of the break-even size pays for itself, and a smaller one does not.
func TestBreakEven(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	sizes, none := 0, 0
	for range 1000 {
		p, s3 := config.Default().Prices, config.Default().S3
		p.Actions1000, s3.LifespanDays = p.Actions1000*random.Float64(), random.IntN(400)
		path := []Path{PathNAT, PathRegion, PathBoth}[random.IntN(3)]
		tariff, redirects := newTariff(p, s3, path), random.ExpFloat64()*5
		net := func(size float64) float64 {
			return tariff.balance(Amounts{RedirectedBytes: redirects * size, Redirects: redirects, CopiedBytes: size, Copies: 1}).Net()
		}
		size := tariff.breakEven(redirects)
		if size == nil {
			none++
			require.Negative(t, net(1<<50), "an object of a PiB, %v redirects", redirects)
			continue
		}
		sizes++
		require.GreaterOrEqual(t, net(*size), -1e-12)
		require.LessOrEqual(t, net(*size-2), 1e-12)
		require.Greater(t, redirects, 1.0)
	}
	require.Positive(t, sizes)
	require.Positive(t, none)
}

// The default of mirror.min_size is above the break-even size of objects that a handful of builds
// download through a NAT gateway.
func TestDefaultMinimumBreaksEven(t *testing.T) {
	c := config.Default()
	tariff := newTariff(c.Prices, c.S3, PathNAT)
	require.Less(t, *tariff.breakEven(7), float64(c.Mirror.MinSize))
	require.Greater(t, *tariff.breakEven(3), float64(c.Mirror.MinSize))
	require.Nil(t, tariff.breakEven(1))
}
