package config_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

func loadPrices(t *testing.T, text string, environ ...string) (config.Prices, config.S3, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cloud-mirror.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return config.LoadPrices(file, environ)
}

// An operator's laptop has no configuration, and prices need none.
func TestPricesNeedNoConfiguration(t *testing.T) {
	p, s3, err := config.LoadPrices("", nil)
	require.NoError(t, err)
	require.Equal(t, config.Default().Prices, p)
	require.Equal(t, config.Default().S3, s3)
	_, err = time.Parse(time.DateOnly, p.AsOf)
	require.NoError(t, err)
	_, err = config.Load("", nil)
	require.Error(t, err, "control: a running part needs one")
}

func TestPricesOfAFileAndTheEnvironment(t *testing.T) {
	p, s3, err := loadPrices(t, "s3: {lifespan_days: 7}\nprices: {region_gb: 0.01, actions_1000: 0, as_of: 2027-01-31}",
		"CLOUD_MIRROR_PRICES_REGION_GB=0.03", "CLOUD_MIRROR_PRICES_CURRENCY=EUR")
	require.NoError(t, err)
	want := config.Default().Prices
	want.RegionGB, want.Actions1000, want.AsOf, want.Currency = 0.03, 0, "2027-01-31", "EUR"
	require.Equal(t, want, p)
	require.Equal(t, 7, s3.LifespanDays)
}

func TestWrongPrices(t *testing.T) {
	for name, tc := range map[string]struct{ text, variable, err string }{
		"negative":             {"prices: {nat_gb: -1}", "", "prices.nat_gb: -1 is not between 0 and 1e+06"},
		"not a number":         {"prices: {nat_gb: .nan}", "", "prices.nat_gb: NaN is not between 0 and 1e+06"},
		"infinite":             {"", "CLOUD_MIRROR_PRICES_PUTS_1000=Inf", "prices.puts_1000: +Inf is not between 0 and 1e+06"},
		"text":                 {"prices: {gets_1000: cheap}", "", "prices.gets_1000: want a number such as 0.045"},
		"text in the variable": {"", "CLOUD_MIRROR_PRICES_COPY_PUTS=$1", "environment: CLOUD_MIRROR_PRICES_COPY_PUTS: want a number such as 0.045"},
		"no day":               {"prices: {as_of: today}", "", `prices.as_of: "today" is not a day such as 2026-11-26`},
		"no currency":          {"prices: {currency: $}", "", `prices.currency: "$" is not a currency such as USD`},
		"an unknown price":     {"prices: {egress_gb: 1}", "", `unknown key "egress_gb"`},
		"a wrong lifespan":     {"s3: {lifespan_days: -1}", "", "s3.lifespan_days: -1 is not between 0 and 36500"},
	} {
		t.Run(name, func(t *testing.T) {
			var environ []string
			if tc.variable != "" {
				environ = []string{tc.variable}
			}
			_, _, err := loadPrices(t, tc.text, environ...)
			require.ErrorContains(t, err, tc.err)
			require.NotContains(t, err.Error(), "\n")
			if name == "negative" {
				_, err = load(t, minimal+tc.text)
				require.ErrorContains(t, err, tc.err, "every command checks prices")
			}
		})
	}
}
