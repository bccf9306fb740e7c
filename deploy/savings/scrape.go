package savings

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// maxScrape bounds the metrics of one process, in bytes.
const maxScrape = 64 << 20

// scrapes measures processes since their starts. It reads the metrics at the URLs.
func scrapes(ctx context.Context, client *http.Client, now func() time.Time, urls []string) (*measurement, error) {
	m := newMeasurement()
	for i, text := range urls {
		u, err := parseURL("--metrics", text)
		if err != nil {
			return nil, err
		}
		if slices.Contains(urls[:i], text) {
			return nil, fmt.Errorf("--metrics: %s is given twice", public(u))
		}
		body, err := fetch(ctx, client, u)
		if err == nil {
			err = m.addScrape(public(u), body, now())
		}
		if err != nil {
			return nil, fmt.Errorf("--metrics: %s: %w", public(u), err)
		}
	}
	return m, m.complete()
}

// addScrape adds the metrics of one process, in the text format of Prometheus.
func (m *measurement) addScrape(name string, text []byte, now time.Time) error {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return errors.New("these are no metrics in the text format of Prometheus")
	}
	start, err := startOf(families)
	if err != nil {
		return err
	}
	over := now.Sub(start)
	if over <= 0 {
		return fmt.Errorf("the process started at %s, which is in the future of this machine", start.UTC().Format(time.RFC3339))
	}
	m.period = append(m.period, fmt.Sprintf("%s since its start %s ago, at %s", name, over.Round(time.Second), start.UTC().Format(time.RFC3339)))
	for _, metric := range metrics() {
		for _, series := range families[metric].GetMetric() {
			k := key{}
			for _, l := range series.GetLabel() {
				switch l.GetName() {
				case "pool":
					k.pool = l.GetValue()
				case "upstream":
					k.upstream = l.GetValue()
				}
			}
			// A metric without HELP and TYPE is untyped.
			m.add(metric, k, series.GetCounter().GetValue()+series.GetUntyped().GetValue(), over)
		}
	}
	return nil
}

// startOf returns when the process started.
func startOf(families map[string]*dto.MetricFamily) (time.Time, error) {
	for _, series := range families["process_start_time_seconds"].GetMetric() {
		if seconds := series.GetGauge().GetValue() + series.GetUntyped().GetValue(); seconds > 0 {
			return time.UnixMilli(int64(seconds * 1000)), nil
		}
	}
	return time.Time{}, errors.New("process_start_time_seconds is missing: these are not the metrics of a front end or worker")
}

func fetch(ctx context.Context, client *http.Client, u *url.URL) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, cause(err)
	}
	resp, err := client.Do(request)
	if err != nil {
		return nil, cause(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxScrape+1))
	if err == nil && len(body) > maxScrape {
		err = fmt.Errorf("the answer is longer than %d bytes", maxScrape)
	}
	return body, cause(err)
}

// cause removes the URL from an error of net/http: its query may hold a secret.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

func parseURL(flag, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s: not a URL that begins with http:// or https://", flag)
	}
	return u, nil
}

// public returns the URL without its user and query.
func public(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
