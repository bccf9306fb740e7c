package savings

import (
	"fmt"
	"maps"
	"slices"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// A Row is one line of a report.
type Row struct {
	Pool     string `json:"pool"`
	Upstream string `json:"upstream"`
	Path     Path   `json:"path,omitempty"`
	Amounts
	Balance
	// RedirectsPerCopy is nil if nothing was copied.
	RedirectsPerCopy *float64 `json:"redirectsPerCopy"`
	// BreakEven is the size at which an object pays for its copy, in bytes. It is nil if no size
	// does, or if nothing was copied.
	BreakEven *float64 `json:"breakEvenBytes"`
	// Monthly is the balance of a month of the same load.
	Monthly float64 `json:"balancePerMonth"`
}

// A Report is the output of the command.
type Report struct {
	// Period names the processes and their times.
	Period   []string      `json:"period"`
	Currency string        `json:"currency"`
	Prices   config.Prices `json:"prices"`
	Rows     []Row         `json:"rows"`
	Total    Row           `json:"total"`
	// Assumptions are the facts that no metric knows.
	Assumptions []string `json:"assumptions"`
}

func newReport(m *measurement, p config.Prices, s3 config.S3, way paths) (*Report, error) {
	r := &Report{Period: m.period, Currency: p.Currency, Prices: p, Rows: []Row{}, Total: Row{Pool: "total"}}
	if err := way.known(m); err != nil {
		return nil, err
	}
	var total usage
	for _, k := range slices.SortedFunc(maps.Keys(m.usage), key.compare) {
		u := m.usage[k]
		if u.measured == (Amounts{}) {
			continue
		}
		t := newTariff(p, s3, way.of(k.upstream))
		row := Row{Pool: k.pool, Upstream: k.upstream, Path: way.of(k.upstream), Amounts: u.measured, Balance: t.balance(u.measured)}
		row.Monthly = t.balance(u.monthly).Net()
		row.ratio(u.monthly)
		if row.RedirectsPerCopy != nil {
			row.BreakEven = t.breakEven(*row.RedirectsPerCopy)
		}
		r.Rows = append(r.Rows, row)
		total.measured, total.monthly = total.measured.plus(u.measured), total.monthly.plus(u.monthly)
		r.Total.Balance, r.Total.Monthly = r.Total.Balance.plus(row.Balance), r.Total.Monthly+row.Monthly
	}
	r.Total.Amounts = total.measured
	r.Total.ratio(total.monthly)
	r.Assumptions = assumptions(p, s3, way)
	return r, nil
}

func (r *Row) ratio(monthly Amounts) {
	if monthly.Copies > 0 {
		n := monthly.Redirects / monthly.Copies
		r.RedirectsPerCopy = &n
	}
}

func assumptions(p config.Prices, s3 config.S3, way paths) []string {
	stored := fmt.Sprintf("Each copy is stored for %d days (s3.lifespan_days), neither purged before nor refreshed (s3.refresh).", s3.LifespanDays)
	if s3.LifespanDays == 0 {
		stored = fmt.Sprintf("Copies are kept for ever (s3.lifespan_days is 0): %d months of storage are counted.", foreverMonths)
	}
	return []string{
		"A redirect is not a finished download. Each is counted as the whole object.",
		"Without the mirror, every download would cross " + way.String() + ". The copy itself crosses it once.",
		stored,
		fmt.Sprintf("A copy takes %g PUT and %g GET requests, a PUT for each %s, and %g Temporal actions. Each redirect is a GET of the copy.",
			p.CopyPuts, p.CopyGets, size(s3.PartSize), p.CopyActions),
		fmt.Sprintf("Prices are in %s, of %s: a GB (2^30 bytes) through NAT %g, across regions %g, stored for a month %g; 1,000 PUTs %g, GETs %g, actions %g.",
			p.Currency, p.AsOf, p.NATGB, p.RegionGB, p.StorageGBMonth, p.Puts1000, p.Gets1000, p.Actions1000),
		"Not counted: copies that failed or were fetched again, refreshes and the storage after them, audits, heartbeats, other requests to the buckets, SQS, redis, machines, hourly prices.",
		"A month has 30 days of the same load.",
		"min_size is for the measured redirects per copy. Small objects may have other ones than large objects, and a short period tells little.",
	}
}
