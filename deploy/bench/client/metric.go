package client

import (
	"context"
	"fmt"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Gauge returns the value of a gauge that the admin listener at a URL serves. A pool other than "" is
// the value of its label. It returns false if there is no such gauge.
func Gauge(ctx context.Context, admin, name, pool string) (value float64, ok bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/metrics", nil)
	if err != nil {
		return 0, false, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, false, err
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		return 0, false, fmt.Errorf("metrics of %s: %w", admin, err)
	}
	for _, m := range families[name].GetMetric() {
		if poolOf(m) == pool {
			return m.GetGauge().GetValue(), true, nil
		}
	}
	return 0, false, nil
}

func poolOf(m *dto.Metric) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == "pool" {
			return l.GetValue()
		}
	}
	return ""
}

// Waiting returns how many clients wait for a copy at a front end, which its admin URL names.
func Waiting(ctx context.Context, admin string) (int, error) {
	const gauge = "cloud_mirror_waiting_clients"
	n, ok, err := Gauge(ctx, admin, gauge, "")
	if err == nil && !ok {
		err = fmt.Errorf("the front end has no metric %s", gauge)
	}
	return int(n), err
}
