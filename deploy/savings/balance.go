package savings

import (
	"math"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// gb is the GB of prices, in bytes.
const gb = 1 << 30

// Path is the way from the source to the clients of an upstream.
type Path string

// The paths of traffic.
const (
	PathNAT    Path = "nat"    // Through a NAT gateway.
	PathRegion Path = "region" // From another region.
	PathBoth   Path = "both"   // From another region, through a NAT gateway.
)

// A Balance is an amount of money by kind. All kinds are positive, savings and costs.
type Balance struct {
	SavedNAT    float64 `json:"savedNAT"`
	SavedRegion float64 `json:"savedRegion"`
	Requests    float64 `json:"spentRequests"`
	Storage     float64 `json:"spentStorage"`
	Temporal    float64 `json:"spentTemporal"`
}

// Net returns the savings less the costs.
func (b Balance) Net() float64 {
	return b.SavedNAT + b.SavedRegion - b.Requests - b.Storage - b.Temporal
}

func (b Balance) plus(c Balance) Balance {
	return Balance{
		SavedNAT: b.SavedNAT + c.SavedNAT, SavedRegion: b.SavedRegion + c.SavedRegion,
		Requests: b.Requests + c.Requests, Storage: b.Storage + c.Storage, Temporal: b.Temporal + c.Temporal,
	}
}

// tariff prices amounts on one path.
type tariff struct {
	config.Prices
	months   float64 // Of storage of a copy
	partSize float64 // In bytes
}

// foreverMonths is how long a copy without an expiry is assumed to be stored.
const foreverMonths = 12

func newTariff(p config.Prices, s3 config.S3, path Path) tariff {
	t := tariff{Prices: p, months: float64(s3.LifespanDays) / 30, partSize: float64(s3.PartSize)}
	if s3.LifespanDays == 0 {
		t.months = foreverMonths
	}
	switch path {
	case PathNAT:
		t.RegionGB = 0
	case PathRegion:
		t.NATGB = 0
	case PathBoth:
	}
	return t
}

// balance prices the amounts. The bytes of a copy cross the path once. Without the copy, they would
// cross it once for each redirect.
func (t tariff) balance(a Amounts) Balance {
	kept := (a.RedirectedBytes - a.CopiedBytes) / gb
	puts := a.Copies*t.CopyPuts + a.CopiedBytes/t.partSize
	gets := a.Copies*t.CopyGets + a.Redirects
	return Balance{
		SavedNAT:    kept * t.NATGB,
		SavedRegion: kept * t.RegionGB,
		Requests:    (puts*t.Puts1000 + gets*t.Gets1000) / 1000,
		Storage:     a.CopiedBytes / gb * t.StorageGBMonth * t.months,
		Temporal:    a.Copies * t.CopyActions * t.Actions1000 / 1000,
	}
}

// breakEven returns the size in bytes at which an object pays for its copy, for a number of
// redirects per copy. It is nil if no size does.
func (t tariff) breakEven(redirects float64) *float64 {
	fixed := -t.balance(Amounts{Redirects: redirects, Copies: 1}).Net()
	perByte := t.balance(Amounts{RedirectedBytes: redirects * gb, CopiedBytes: gb}).Net() / gb
	size := math.Ceil(fixed / perByte)
	if math.IsNaN(size) || math.IsInf(size, 0) || perByte <= 0 {
		return nil
	}
	return &size
}

// NewBalance prices the amounts, as `cloud-mirror savings` does.
func NewBalance(p config.Prices, s3 config.S3, path Path, a Amounts) Balance {
	return newTariff(p, s3, path).balance(a)
}
