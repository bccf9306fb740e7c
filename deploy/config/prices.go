package config

import (
	"math"
	"regexp"
	"time"
)

// Prices is the table that `cloud-mirror savings` multiplies with metrics. A GB has 2^30 bytes, as
// on AWS's bills.
type Prices struct {
	AsOf     string `yaml:"as_of" json:"asOf" env:"AS_OF" doc:"day of the prices, which cloud-mirror savings prints"`
	Currency string `yaml:"currency" json:"currency" env:"CURRENCY" doc:"currency of the prices"`

	RegionGB       float64 `yaml:"region_gb" json:"regionGB" env:"REGION_GB" doc:"a GB that crosses regions"`
	NATGB          float64 `yaml:"nat_gb" json:"natGB" env:"NAT_GB" doc:"a GB that a NAT gateway processes"`
	StorageGBMonth float64 `yaml:"storage_gb_month" json:"storageGBMonth" env:"STORAGE_GB_MONTH" doc:"a GB in a bucket for a month of 30 days"`
	Puts1000       float64 `yaml:"puts_1000" json:"puts1000" env:"PUTS_1000" doc:"1,000 requests of S3's PUT, COPY, POST and LIST"`
	Gets1000       float64 `yaml:"gets_1000" json:"gets1000" env:"GETS_1000" doc:"1,000 requests of S3's GET and all others"`
	Actions1000    float64 `yaml:"actions_1000" json:"actions1000" env:"ACTIONS_1000" doc:"1,000 actions of Temporal Cloud; 0 if you run Temporal yourself"`

	CopyPuts    float64 `yaml:"copy_puts" json:"copyPuts" env:"COPY_PUTS" doc:"PUT requests of one copy, besides one for each s3.part_size of it. A copy in parts takes three more"`
	CopyGets    float64 `yaml:"copy_gets" json:"copyGets" env:"COPY_GETS" doc:"GET requests of one copy. A copy in parts takes one more"`
	CopyActions float64 `yaml:"copy_actions" json:"copyActions" env:"COPY_ACTIONS" doc:"Temporal actions of one copy. A copy in parts takes two more, and one that was retried takes one; heartbeats come in addition, at most one a second"`
}

// defaultPrices returns list prices of us-east-1 without any free tier or discount. They are from
// these pages:
//
//   - "Amazon VPC Pricing": NAT gateway
//   - "Amazon EC2 On-Demand Pricing": data transfer from us-east-1 to another region
//   - "Amazon S3 Pricing": S3 Standard
//   - "Temporal Cloud pricing": the first million actions
//
// A copy of one request was measured on 2026-11-26 with versitygw: TestCostOfACopy counts a PUT and
// two HEADs. Its history (workflows/testdata/2026-11-26-steps/completed.json) has four billable
// actions, by the page "Temporal Cloud Actions": the start, the start of StreamCopy, and two
// workflow tasks with a local activity each. The version marker and its search attribute are free.
func defaultPrices() Prices {
	return Prices{
		AsOf: "2026-11-26", Currency: "USD",
		RegionGB: 0.02, NATGB: 0.045, StorageGBMonth: 0.023, Puts1000: 0.005, Gets1000: 0.0004, Actions1000: 0.05,
		CopyPuts: 1, CopyGets: 3, CopyActions: 4,
	}
}

// LoadPrices is Load for a command that needs prices and s3, and no running part. It accepts a file
// without the settings that such parts require. No file at all is valid too.
func LoadPrices(file string, environ []string) (Prices, S3, error) {
	c, err := decode(file, environ)
	if err == nil {
		err = c.validateNumbers()
	}
	if err == nil {
		err = c.validatePrices()
	}
	if err != nil {
		return Prices{}, S3{}, err
	}
	return c.Prices, c.S3, nil
}

// maxPrice is beyond any price, and any number of requests, and keeps sums finite.
const maxPrice = 1e6

func (c *Config) validatePrices() error {
	p := &c.Prices
	if _, err := time.Parse(time.DateOnly, p.AsOf); err != nil {
		return wrong("prices.as_of", "%q is not a day such as 2026-11-26", p.AsOf)
	}
	if !regexp.MustCompile(`^[A-Z]{3}$`).MatchString(p.Currency) {
		return wrong("prices.currency", "%q is not a currency such as USD", p.Currency)
	}
	for _, n := range []struct {
		key   string
		value float64
	}{
		{"prices.region_gb", p.RegionGB},
		{"prices.nat_gb", p.NATGB},
		{"prices.storage_gb_month", p.StorageGBMonth},
		{"prices.puts_1000", p.Puts1000},
		{"prices.gets_1000", p.Gets1000},
		{"prices.actions_1000", p.Actions1000},
		{"prices.copy_puts", p.CopyPuts},
		{"prices.copy_gets", p.CopyGets},
		{"prices.copy_actions", p.CopyActions},
	} {
		if math.IsNaN(n.value) || n.value < 0 || n.value > maxPrice {
			return wrong(n.key, "%v is not between 0 and %v", n.value, maxPrice)
		}
	}
	return nil
}
