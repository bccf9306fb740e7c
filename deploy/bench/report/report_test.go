package report_test

import (
	"strings"
	"testing"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

func TestTable(t *testing.T) {
	table := report.New(report.Baseline{Name: "rclone", Column: true}, report.Baseline{Name: "bare router"})
	table.Add(report.Row{Label: "hits", Unit: report.PerSecond, Figure: 48_000, Target: report.AtLeast(50_000),
		Ratios: []report.Ratio{{}, report.Against(48_000, 50_000, report.AtLeast(.9))}})
	table.Title("1 GiB")
	table.Add(report.Row{Label: "wall time", Unit: report.Seconds, Figure: 2, Target: report.AtMost(3),
		Ratios: []report.Ratio{report.Against(2, 4, report.AtMost(.4)), report.Against(2, 0, report.AtMost(1))}})
	table.Add(report.Row{Label: "memory", Unit: report.MiB, Figure: 5 << 20, Ratios: []report.Ratio{{Note: "not installed"}}})
	const want = `
             measured      target         rclone  ratio  target  ratio to bare router  target
hits         48000 /s  ≥ 50000 /s                                                0.96  ≥ 0.90  missed

1 GiB
  wall time   2.000 s   ≤ 3.000 s        4.000 s   0.50  ≤ 0.40                                missed against rclone
  memory        5 MiB              not installed
`
	var b strings.Builder
	table.Print(&b)
	if got := "\n" + b.String(); got != want {
		t.Errorf("the table is%s\nwant%s", got, want)
	}
}

func TestStatistics(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	for name, c := range map[string]struct{ got, want float64 }{
		"median of an even number": {report.Median(values), 3},
		"median of an odd number":  {report.Median(values[:3]), 3},
		"median of none":           {report.Median(nil), 0},
		"p50":                      {report.Quantile(values, .5), 2},
		"p99":                      {report.Quantile(values, .99), 4},
		"p0":                       {report.Quantile(values, 0), 1},
		"the last":                 {report.Quantile(values, 1), 4},
	} {
		if c.got != c.want {
			t.Errorf("%s is %g, want %g", name, c.got, c.want)
		}
	}
	if values[0] != 4 {
		t.Error("the values were sorted in place")
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{1 << 20: "1 MiB", 64 << 20: "64 MiB", 1 << 30: "1 GiB", 3 << 29: "1536 MiB"} {
		if got := report.Size(n); got != want {
			t.Errorf("%d bytes are %s, want %s", n, got, want)
		}
	}
}
