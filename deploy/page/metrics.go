package page

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/cloud-mirror/cloud-mirror/deploy/savings"
)

// maxScrape bounds the metrics of one process, in bytes.
const maxScrape = 16 << 20

// figures are sums of the metrics of processes.
type figures struct {
	frontEnds, workers int // Processes that were read.
	waiting            float64
	redirects, hits    map[string]float64 // Requests by pool.
	copying            map[string]float64 // Copies that have a slot, by pool.
	breakers           map[string]int     // Front ends whose breaker is open, by dependency.
	amounts            savings.Amounts
}

func newFigures() *figures {
	return &figures{redirects: map[string]float64{}, hits: map[string]float64{}, copying: map[string]float64{}, breakers: map[string]int{}}
}

// unread names a process whose metrics were not read.
type unread struct{ Process, Cause string }

// figures reads the metrics of all processes of admin.metrics, or of this process if there are none.
func (p *page) figures(ctx context.Context) (*figures, []unread) {
	f := newFigures()
	if len(p.Admin.Metrics) == 0 {
		families, err := p.Own.Gather()
		if err != nil {
			return f, []unread{{"this process", cause(err)}}
		}
		byName := map[string]*dto.MetricFamily{}
		for _, family := range families {
			byName[family.GetName()] = family
		}
		f.add(byName)
		return f, nil
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	var missing []unread
	failed := func(process string, err error) {
		mu.Lock()
		defer mu.Unlock()
		missing = append(missing, unread{process, cause(err)})
	}
	for _, listed := range p.Admin.Metrics {
		all.Go(func() {
			addresses, err := ask(ctx, func(ctx context.Context) ([]string, error) { return p.addresses(ctx, listed) })
			if err != nil {
				failed(shown(listed), err)
				return
			}
			for _, address := range addresses {
				all.Go(func() {
					families, err := ask(ctx, func(ctx context.Context) (map[string]*dto.MetricFamily, error) { return p.scrape(ctx, listed, address) })
					if err != nil {
						failed(shownAt(listed, address), err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					f.add(families)
				})
			}
		})
	}
	all.Wait()
	slices.SortFunc(missing, func(a, b unread) int { return strings.Compare(a.Process, b.Process) })
	return f, missing
}

// addresses returns the addresses of the processes behind a URL of admin.metrics. The name of a
// headless Service of Kubernetes has one for each pod. A process may have an address of each family,
// so IPv6 counts only without IPv4. It returns one empty address, for the URL as it is, if the host
// is an address, or if TLS must verify the name.
func (p *page) addresses(ctx context.Context, listed string) ([]string, error) {
	u, err := url.Parse(listed)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil || u.Scheme != "http" {
		return []string{""}, nil
	}
	all, err := p.Lookup(ctx, u.Hostname())
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		err = errors.New(e.Err)
	}
	if err != nil {
		return nil, err
	}
	isIPv6 := func(address string) bool { return strings.Contains(address, ":") }
	if v4 := slices.DeleteFunc(slices.Clone(all), isIPv6); len(v4) > 0 {
		return v4, nil
	}
	if len(all) == 0 {
		return nil, errors.New("the name has no address")
	}
	return all, nil
}

// scrape reads the metrics of a process, at an address if that is not empty. Its errors don't hold
// the URL, which may have a password.
func (p *page) scrape(ctx context.Context, listed, address string) (map[string]*dto.MetricFamily, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, listed, http.NoBody)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	if address != "" {
		r.Host, r.URL.Host = r.URL.Host, net.JoinHostPort(address, cmp.Or(r.URL.Port(), "80"))
	}
	resp, err := p.http.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", resp.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(io.LimitReader(resp.Body, maxScrape))
	if err != nil {
		return nil, errors.New("the answer has no metrics")
	}
	return families, nil
}

// shown returns the part of a URL of admin.metrics that may be shown.
func shown(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return "a process"
	}
	return u.Host
}

// shownAt is shown, with the address of one of several processes.
func shownAt(listed, address string) string {
	if address == "" {
		return shown(listed)
	}
	return shown(listed) + " at " + address
}

// add adds the metrics of one process.
func (f *figures) add(families map[string]*dto.MetricFamily) {
	each := func(name string, do func(label func(string) string, value float64)) {
		for _, m := range families[name].GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			value := m.GetGauge().GetValue() + m.GetCounter().GetValue() + m.GetUntyped().GetValue() +
				float64(m.GetHistogram().GetSampleCount())
			do(func(label string) string { return labels[label] }, value)
		}
	}
	if families["cloud_mirror_waiting_clients"] != nil {
		f.frontEnds++
	}
	if families["cloud_mirror_copied_bytes_total"] != nil || families["cloud_mirror_copy_slots"] != nil {
		f.workers++
	}
	each("cloud_mirror_waiting_clients", func(_ func(string) string, v float64) { f.waiting += v })
	each("cloud_mirror_redirect_seconds", func(label func(string) string, v float64) {
		f.redirects[label("pool")] += v
		if label("reason") == "hit" {
			f.hits[label("pool")] += v
		}
	})
	each("cloud_mirror_copy_slots_in_use", func(label func(string) string, v float64) { f.copying[label("pool")] += v })
	each("cloud_mirror_breaker_open", func(label func(string) string, v float64) {
		if v > 0 {
			f.breakers[label("dependency")]++
		}
	})
	for name, sum := range map[string]*float64{
		"cloud_mirror_redirected_bytes_total": &f.amounts.RedirectedBytes,
		"cloud_mirror_copy_redirects_total":   &f.amounts.Redirects,
		"cloud_mirror_copied_bytes_total":     &f.amounts.CopiedBytes,
		"cloud_mirror_copies_total":           &f.amounts.Copies,
	} {
		each(name, func(_ func(string) string, v float64) { *sum += v })
	}
}

// open names the open breakers.
func (f *figures) open() (all []string) {
	for _, dependency := range slices.Sorted(maps.Keys(f.breakers)) {
		all = append(all, fmt.Sprintf("%s (in %d of %d front ends)", dependency, f.breakers[dependency], f.frontEnds))
	}
	return all
}
