package savings

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// month is the month of all outputs.
const month = 30 * 24 * time.Hour

// Amounts are sums of counters.
type Amounts struct {
	RedirectedBytes float64 `json:"redirectedBytes"`
	Redirects       float64 `json:"redirects"`
	CopiedBytes     float64 `json:"copiedBytes"`
	Copies          float64 `json:"copies"`
}

// counters returns the amounts by the name of their metric.
func (a *Amounts) counters() map[string]*float64 {
	return map[string]*float64{
		"cloud_mirror_redirected_bytes_total": &a.RedirectedBytes,
		"cloud_mirror_copy_redirects_total":   &a.Redirects,
		"cloud_mirror_copied_bytes_total":     &a.CopiedBytes,
		"cloud_mirror_copies_total":           &a.Copies,
	}
}

// metrics returns the names of all counters, in a fixed order.
func metrics() []string { return slices.Sorted(maps.Keys((&Amounts{}).counters())) }

func (a Amounts) plus(b Amounts) Amounts {
	return Amounts{
		RedirectedBytes: a.RedirectedBytes + b.RedirectedBytes, Redirects: a.Redirects + b.Redirects,
		CopiedBytes: a.CopiedBytes + b.CopiedBytes, Copies: a.Copies + b.Copies,
	}
}

func (a Amounts) times(f float64) Amounts {
	return Amounts{
		RedirectedBytes: a.RedirectedBytes * f, Redirects: a.Redirects * f,
		CopiedBytes: a.CopiedBytes * f, Copies: a.Copies * f,
	}
}

// key identifies the series of a counter.
type key struct{ pool, upstream string }

func (k key) compare(l key) int {
	return cmp.Or(strings.Compare(k.pool, l.pool), strings.Compare(k.upstream, l.upstream))
}

// usage holds the amounts of one pool and upstream: as measured, and in a month of the same load.
type usage struct{ measured, monthly Amounts }

// measurement is what the metrics tell.
type measurement struct {
	// period describes where the amounts are from, in a line or more.
	period []string
	usage  map[key]usage
	found  map[string]bool // The metrics that have a series.
}

func newMeasurement() *measurement {
	return &measurement{usage: map[key]usage{}, found: map[string]bool{}}
}

// add adds a value of a metric, which was measured over that time.
func (m *measurement) add(metric string, k key, value float64, over time.Duration) {
	var a Amounts
	*a.counters()[metric] = value
	u := m.usage[k]
	u.measured = u.measured.plus(a)
	u.monthly = u.monthly.plus(a.times(month.Hours() / over.Hours()))
	m.usage[k] = u
	m.found[metric] = true
}

// complete returns an error unless each metric has a series.
func (m *measurement) complete() error {
	for _, metric := range metrics() {
		if !m.found[metric] {
			return fmt.Errorf("no process reports %s: redirects are counted by front ends, copies by workers", metric)
		}
	}
	return nil
}
