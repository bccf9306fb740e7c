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

// measurement holds the amounts of all metrics.
type measurement struct {
	// period names the processes and their times, in a line or more.
	period []string
	usage  map[key]usage
	found  map[string]map[string]bool // The pools that have a series, by metric.
}

func newMeasurement() *measurement {
	m := &measurement{usage: map[key]usage{}, found: map[string]map[string]bool{}}
	for _, metric := range metrics() {
		m.found[metric] = map[string]bool{}
	}
	return m
}

// add adds a value of a metric, measured over that time. It ignores a series without an upstream:
// workers of earlier builds counted such bytes. No redirects belong to them.
func (m *measurement) add(metric string, k key, value float64, over time.Duration) {
	if k.upstream == "" {
		return
	}
	var a Amounts
	*a.counters()[metric] = value
	u := m.usage[k]
	u.measured = u.measured.plus(a)
	u.monthly = u.monthly.plus(a.times(month.Hours() / over.Hours()))
	m.usage[k] = u
	m.found[metric][k.pool] = true
}

// complete returns an error unless each metric has a series, for every pool that has any amount.
func (m *measurement) complete() error {
	const counters = "redirects are counted by front ends, copies by workers"
	for _, metric := range metrics() {
		if len(m.found[metric]) == 0 {
			return fmt.Errorf("no process reports %s: %s", metric, counters)
		}
		for _, k := range slices.SortedFunc(maps.Keys(m.usage), key.compare) {
			if m.usage[k].measured != (Amounts{}) && !m.found[metric][k.pool] {
				return fmt.Errorf("no process reports %s of the pool %s: %s", metric, k.pool, counters)
			}
		}
	}
	return nil
}
