package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

// TestFileIsCurrent compares the file with the code.
func TestFileIsCurrent(t *testing.T) {
	want, err := render()
	require.NoError(t, err)
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run `make dashboard`")
}

// metrics returns the labels of each metric of deploy/METRICS.md, by the names in a query. An
// end-to-end test compares that page with a real /metrics.
func metrics(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../METRICS.md")
	require.NoError(t, err)
	all := map[string][]string{}
	rows := regexp.MustCompile("(?m)^\\| `(cloud_mirror_\\w+)` \\| (\\w+) \\| [^|]+ \\| ([^|]+) \\|").FindAllStringSubmatch(string(page), -1)
	for _, row := range rows {
		labels := strings.Split(strings.ReplaceAll(row[3], "`", ""), ", ")
		if row[2] != "histogram" {
			all[row[1]] = labels
			continue
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			all[row[1]+suffix] = append([]string{"le"}, labels...)
		}
	}
	require.Greater(t, len(all), 50)
	return all
}

// libraries are the metrics of libraries that the dashboard shows.
func libraries() []string { return []string{"temporal_request_total", "process_resident_memory_bytes"} }

// problems returns why an expression is no query of our metrics.
func problems(expr string, known map[string][]string) (all []string) {
	expr = strings.NewReplacer("$__rate_interval", "1m", "$pool", "s3_us-west-2").Replace(expr)
	root, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return []string{err.Error()}
	}
	parser.Inspect(root, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.VectorSelector:
			labels, ok := known[node.Name]
			if !ok && !slices.Contains(libraries(), node.Name) {
				all = append(all, "no metric "+node.Name)
			}
			for _, m := range node.LabelMatchers {
				if m.Name != "__name__" && !slices.Contains(labels, m.Name) {
					all = append(all, node.Name+" has no label "+m.Name)
				}
			}
		case *parser.AggregateExpr:
			all = append(all, missingLabels(node, known)...)
		}
		return nil
	})
	return all
}

// missingLabels returns the labels of an aggregation that a metric below it lacks.
func missingLabels(by *parser.AggregateExpr, known map[string][]string) (all []string) {
	parser.Inspect(by.Expr, func(node parser.Node, _ []parser.Node) error {
		of, ok := node.(*parser.VectorSelector)
		if !ok || known[of.Name] == nil {
			return nil
		}
		for _, label := range by.Grouping {
			if !slices.Contains(known[of.Name], label) {
				all = append(all, of.Name+" has no label "+label)
			}
		}
		return nil
	})
	return all
}

// TestQueriesUseExistingMetrics checks the file, not the code.
func TestQueriesUseExistingMetrics(t *testing.T) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
			Panels  []any // Of a collapsed row
		}
	}
	require.NoError(t, json.Unmarshal(text, &d))
	known, queries, titles := metrics(t), 0, map[string]bool{}
	for _, p := range d.Panels {
		require.Empty(t, p.Panels)
		require.False(t, titles[p.Title], "two panels are called %s", p.Title)
		titles[p.Title] = true
		for _, target := range p.Targets {
			queries++
			require.Empty(t, problems(target.Expr, known), "%s: %s", p.Title, target.Expr)
		}
	}
	require.Greater(t, queries, 40)
}

func TestProblemsAreFound(t *testing.T) {
	known := metrics(t)
	require.Empty(t, problems(`sum by (pool) (rate(cloud_mirror_copies_total{pool="x"}[5m]))`, known), "control")
	for expr, want := range map[string]string{
		`sum by (pool) (rate(cloud_mirror_copies_total[5m])`:   "unclosed left parenthesis",
		`sum(rate(cloud_mirror_copied_total[5m]))`:             "no metric cloud_mirror_copied_total",
		`sum(cloud_mirror_copy_seconds)`:                       "no metric cloud_mirror_copy_seconds",
		`rate(cloud_mirror_copies_total{region="x"}[5m])`:      "cloud_mirror_copies_total has no label region",
		`sum by (class) (rate(cloud_mirror_copies_total[5m]))`: "cloud_mirror_copies_total has no label class",
	} {
		require.Contains(t, strings.Join(problems(expr, known), "\n"), want, expr)
	}
}
