package savings

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// prometheus measures a period that ends at now. match holds further label matchers, such as
// cluster="a"; it may be empty.
func prometheus(
	ctx context.Context, client *http.Client, now time.Time, address, match string, period time.Duration,
) (*measurement, error) {
	u, err := parseURL("--prometheus", address)
	if err != nil {
		return nil, err
	}
	c, err := api.NewClient(api.Config{Address: address, Client: client})
	if err != nil {
		return nil, fmt.Errorf("--prometheus: %w", err)
	}
	q := queries{api: v1.NewAPI(c), now: now, match: match, period: period}
	m := newMeasurement()
	covered, err := q.covered(ctx)
	for _, metric := range metrics() {
		if err == nil {
			err = q.add(ctx, m, metric, covered)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("--prometheus: %s: %w", public(u), cause(err))
	}
	line := fmt.Sprintf("%s until %s, by %s", model.Duration(period), now.UTC().Format(time.RFC3339), public(u))
	if covered < period {
		line += fmt.Sprintf(", which has data of %s", model.Duration(covered.Truncate(time.Second)))
	}
	m.period = []string{line}
	return m, m.complete()
}

// queries are the queries about one period.
type queries struct {
	api    v1.API
	now    time.Time
	match  string
	period time.Duration
}

// steps is the number of points in time at which covered looks for data.
const steps = 1000

// covered returns how much of the period has data. A month of the same load follows from it.
func (q queries) covered(ctx context.Context) (time.Duration, error) {
	step := max(time.Second, q.period/steps).Truncate(time.Second)
	v, err := q.vector(ctx, fmt.Sprintf("min(min_over_time(timestamp(cloud_mirror_copy_redirects_total{%s})[%s:%s]))",
		q.match, model.Duration(q.period), model.Duration(step)))
	if err != nil {
		return 0, err
	}
	if len(v) == 0 {
		return 0, fmt.Errorf("no data of cloud_mirror_copy_redirects_total in the last %s (of less than %s: name a shorter period)",
			model.Duration(q.period), model.Duration(step))
	}
	first := time.UnixMilli(int64(float64(v[0].Value) * 1000))
	covered := q.now.Sub(first)
	if covered > q.period*95/100 { // The first scrape is later than the start of the period.
		covered = q.period
	}
	return max(covered, step), nil
}

func (q queries) add(ctx context.Context, m *measurement, metric string, covered time.Duration) error {
	v, err := q.vector(ctx, fmt.Sprintf("sum by (pool, upstream) (increase(%s{%s}[%s]))", metric, q.match, model.Duration(q.period)))
	if err != nil {
		return err
	}
	for _, sample := range v {
		k := key{pool: string(sample.Metric["pool"]), upstream: string(sample.Metric["upstream"])}
		m.add(metric, k, float64(sample.Value), covered)
	}
	return nil
}

func (q queries) vector(ctx context.Context, query string) (model.Vector, error) {
	value, _, _, err := q.api.Query(ctx, query, q.now)
	if err != nil {
		return nil, err
	}
	v, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("the answer is a %s, not a vector", strings.ToLower(value.Type().String()))
	}
	return v, nil
}
