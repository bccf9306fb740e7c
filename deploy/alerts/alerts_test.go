package alerts_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

func TestPromtoolAcceptsTheRules(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "--lint-fatal", "rules.yaml"}, {"test", "rules", "rules_test.yaml"}} {
		out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
}

type rules struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr string
			Labels      map[string]string
			Annotations map[string]string
		}
	}
}

func readRules(t *testing.T) (r rules) {
	t.Helper()
	require.NoError(t, yaml.Unmarshal(read(t, "rules.yaml"), &r))
	return r
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return text
}

// TestEachAlertNamesItsEntryInTheRunbook also compares the metrics with the table of metrics.
func TestEachAlertNamesItsEntryInTheRunbook(t *testing.T) {
	var anchors []string
	for _, heading := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(string(read(t, "../RUNBOOK.md")), -1) {
		slug := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		anchors = append(anchors, strings.ReplaceAll(slug, " ", "-"))
	}
	runbook, page, tests := string(read(t, "../RUNBOOK.md")), string(read(t, "../METRICS.md")), string(read(t, "rules_test.yaml"))
	alerts := 0
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			alerts++
			anchor, ok := strings.CutPrefix(r.Annotations["runbook_url"], "https://github.com/cloud-mirror/cloud-mirror/blob/main/deploy/RUNBOOK.md#")
			require.True(t, ok, r.Alert)
			require.True(t, slices.Contains(anchors, anchor), "%s: %s", r.Alert, anchor)
			named := strings.Contains(runbook, "`"+r.Alert+"`")
			require.True(t, named, "the runbook does not name %s", r.Alert)
			require.Contains(t, []string{"page", "ticket"}, r.Labels["severity"], r.Alert)
			require.NotEmpty(t, r.Annotations["summary"], r.Alert)
			metrics := regexp.MustCompile(`cloud_mirror_\w+`).FindAllString(r.Expr, -1)
			require.NotEmpty(t, metrics, r.Alert)
			for _, m := range metrics {
				listed := strings.Contains(page, "| `"+strings.TrimSuffix(m, "_count")+"` |")
				require.True(t, listed, "%s: %s", r.Alert, m)
			}
			require.Regexp(t, `alertname: `+r.Alert+`\n +exp_alerts`, tests, "the alert has no test in which it fires")
		}
	}
	require.Equal(t, 15, alerts)
}
