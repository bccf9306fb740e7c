package savings

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

// now is ten days after the recorded front end started.
func now() time.Time { return time.Unix(1795658322, 260e6).Add(10 * 24 * time.Hour) }

// processes serves the recorded metrics of a local stack. The upstream github.com was added to
// them. The workers of two regions started a day after the other processes.
func processes(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.FileServer(http.Dir("testdata")))
	t.Cleanup(s.Close)
	return s
}

// run runs a command line.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var cli struct {
		Savings Command `cmd:""`
	}
	parser, err := kong.New(&cli)
	require.NoError(t, err)
	if _, err := parser.Parse(append([]string{"savings"}, args...)); err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = cli.Savings.run(t.Context(), nil, now, &out)
	return out.String(), err
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func TestReport(t *testing.T) {
	s := processes(t)
	var scraped []string
	for _, process := range []string{"front", "west", "east", "central"} {
		scraped = append(scraped, "--metrics", s.URL+"/"+process+".prom")
	}
	for file, args := range map[string][]string{
		"nat.golden":   nil,
		"paths.golden": {"--path=both", "--path=github.com=nat"},
		"json.golden":  {"--json"},
	} {
		t.Run(file, func(t *testing.T) {
			got, err := run(t, append(args, scraped...)...)
			require.NoError(t, err)
			golden(t, file, strings.ReplaceAll(got, s.URL, "http://process"))
		})
	}
}

// A total is the sum of its rows, and each row is on the path of its upstream.
func TestTotal(t *testing.T) {
	s := processes(t)
	got, err := run(t, "--json", "--path=region", "--path=github.com=both",
		"--metrics="+s.URL+"/front.prom", "--metrics="+s.URL+"/west.prom", "--metrics="+s.URL+"/east.prom", "--metrics="+s.URL+"/central.prom")
	require.NoError(t, err)
	var r Report
	require.NoError(t, json.Unmarshal([]byte(got), &r))
	require.Len(t, r.Rows, 4)
	var sum Row
	for _, row := range r.Rows {
		sum.Amounts, sum.Balance = sum.Amounts.plus(row.Amounts), sum.Balance.plus(row.Balance)
		sum.Monthly += row.Monthly
		require.Equal(t, row.Upstream == "github.com", row.SavedNAT > 0, row.Upstream)
		require.Positive(t, row.SavedRegion)
	}
	require.Equal(t, sum.Amounts, r.Total.Amounts)
	require.InDelta(t, sum.Net(), r.Total.Net(), 1e-9)
	require.InDelta(t, sum.Monthly, r.Total.Monthly, 1e-9)
	require.InDelta(t, 18280, r.Total.Redirects, 0)
}

func TestWrongUse(t *testing.T) {
	good := processes(t).URL
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/page":
			_, _ = w.Write([]byte("<html>it works</html>"))
		case "/node":
			_, _ = w.Write([]byte("node_load1 0.5\n"))
		case "/new":
			_, _ = w.Write([]byte("process_start_time_seconds 9e9\n"))
		case "/empty":
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	defer other.Close()
	closed := httptest.NewServer(nil)
	closed.Close()
	secret := strings.Replace(closed.URL, "http://", "http://user:hunter2@", 1) + "/metrics?token=hunter3"
	file := filepath.Join(t.TempDir(), "prices.yaml")
	require.NoError(t, os.WriteFile(file, []byte("prices: {nat_gb: -1}"), 0o600))
	var all []string
	for _, process := range []string{"front", "west", "east", "central"} {
		all = append(all, "--metrics="+good+"/"+process+".prom")
	}
	for name, tc := range map[string]struct {
		args []string
		err  string
	}{
		"no flags":                  {nil, "name --prometheus, or --metrics of all front ends and workers"},
		"both":                      {[]string{"--prometheus=" + good, "--metrics=" + good}, "can't be used together"},
		"a period of scrapes":       {append([]string{"--for=1d"}, all...), "--for and --match need --prometheus"},
		"a matcher of scrapes":      {append([]string{"--match=a"}, all...), "--for and --match need --prometheus"},
		"no period":                 {[]string{"--prometheus=" + good, "--for=soon"}, "--for"},
		"a short period":            {[]string{"--prometheus=" + good, "--for=59s"}, "--for: must be at least 1m"},
		"a Prometheus without host": {[]string{"--prometheus=prometheus:9090"}, "--prometheus: not a URL that begins with http:// or https://"},
		"metrics without host":      {[]string{"--metrics=/metrics"}, "--metrics: not a URL that begins with http:// or https://"},
		"a closed port":             {[]string{"--metrics=" + secret}, "connection refused"},
		"a closed Prometheus":       {[]string{"--prometheus=" + secret}, "connection refused"},
		"no Prometheus":             {[]string{"--prometheus=" + other.URL + "/page"}, "--prometheus: " + other.URL + "/page: "},
		"403":                       {[]string{"--metrics=" + other.URL + "/metrics"}, "/metrics: the answer is 403 Forbidden"},
		"HTML":                      {[]string{"--metrics=" + other.URL + "/page"}, "/page: these are no metrics in the text format of Prometheus"},
		"other metrics":             {[]string{"--metrics=" + other.URL + "/node"}, "process_start_time_seconds is missing"},
		"an empty answer":           {[]string{"--metrics=" + other.URL + "/empty"}, "process_start_time_seconds is missing"},
		"a start in the future":     {[]string{"--metrics=" + other.URL + "/new"}, "which is in the future of this machine"},
		"twice":                     {append(all, all[0]), "/front.prom is given twice"},
		"no worker":                 {all[:1], "no process reports cloud_mirror_copied_bytes_total"},
		"no front end":              {all[1:], "no process reports cloud_mirror_copy_redirects_total"},
		"no worker of two pools":    {all[:2], "no process reports cloud_mirror_copied_bytes_total of the pool s3_eu-central-1"},
		"an unknown path":           {append([]string{"--path=sea"}, all...), `--path: "sea" is not nat, region or both`},
		"a path of no upstream":     {append([]string{"--path==nat"}, all...), `--path: "=nat" names no upstream`},
		"a path of an unknown one":  {append([]string{"--path=gitlab.com=nat"}, all...), `--path: the metrics have no upstream "gitlab.com", only github.com, none`},
		"two paths":                 {append([]string{"--path=nat", "--path=both"}, all...), "--path: an upstream, or all of them, have two paths"},
		"two paths of an upstream":  {append([]string{"--path=none=nat", "--path=none=nat"}, all...), "--path: an upstream, or all of them, have two paths"},
		"no file":                   {append([]string{"--config=" + file + "2"}, all...), "configuration: open"},
		"a wrong price":             {append([]string{"--config=" + file}, all...), "prices.nat_gb: -1 is not between"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := run(t, tc.args...)
			require.ErrorContains(t, err, tc.err)
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "hunter")
			require.Empty(t, out)
		})
	}
	out, err := run(t, all...)
	require.NoError(t, err, "control")
	require.NotEmpty(t, out)
}

// The header names the processes, without the secrets in their URLs.
func TestReportHoldsNoSecret(t *testing.T) {
	s := processes(t)
	url := strings.Replace(s.URL, "http://", "http://user:hunter2@", 1)
	out, err := run(t, "--metrics="+url+"/front.prom?token=hunter3", "--metrics="+url+"/west.prom", "--metrics="+url+"/east.prom", "--metrics="+url+"/central.prom")
	require.NoError(t, err)
	require.Contains(t, out, s.URL+"/front.prom since its start 240h0m0s ago")
	require.NotContains(t, out, "hunter")
}
