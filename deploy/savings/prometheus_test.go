package savings

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answers stands in for a Prometheus. It answers a query by the metric in it. TestSavings in
// deploy/local/e2e queries a real Prometheus.
type answers struct {
	first   time.Time // The first data, unless it is zero
	values  map[string]string
	status  int
	queries []string
}

const vector = `{"status":"success","data":{"resultType":"vector","result":[%s]}}`

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.FormValue("query")
	a.queries = append(a.queries, query)
	w.Header().Set("Content-Type", "application/json")
	if a.status != 0 {
		w.WriteHeader(a.status)
		fmt.Fprint(w, `{"status":"error","errorType":"bad_data","error":"1:5: parse error"}`)
		return
	}
	if strings.HasPrefix(query, "min(") {
		result := ""
		if !a.first.IsZero() {
			result = fmt.Sprintf(`{"metric":{},"value":[0,"%d"]}`, a.first.Unix())
		}
		fmt.Fprintf(w, vector, result)
		return
	}
	for metric, value := range a.values {
		if strings.Contains(query, "increase("+metric+"{") {
			fmt.Fprint(w, value)
			return
		}
	}
	fmt.Fprintf(w, vector, "")
}

func series(value float64) string {
	return fmt.Sprintf(vector, fmt.Sprintf(`{"metric":{"pool":"s3_us-west-2","upstream":"none"},"value":[0,"%g"]}`, value))
}

func all() map[string]string {
	return map[string]string{
		"cloud_mirror_copy_redirects_total": series(1000), "cloud_mirror_redirected_bytes_total": series(100 * gb),
		"cloud_mirror_copies_total": series(20), "cloud_mirror_copied_bytes_total": series(10 * gb),
	}
}

func askPrometheus(t *testing.T, a *answers, args ...string) (Report, error) {
	t.Helper()
	s := httptest.NewServer(a)
	defer s.Close()
	out, err := run(t, append([]string{"--json", "--prometheus", s.URL}, args...)...)
	var r Report
	if err == nil {
		require.NoError(t, json.Unmarshal([]byte(out), &r))
	}
	return r, err
}

func TestPeriodOfPrometheus(t *testing.T) {
	const day = 24 * time.Hour
	for name, tc := range map[string]struct {
		args  []string
		since time.Duration
		query string
		month float64 // Of the measured amounts
		line  string
	}{
		"30 days":             {nil, 30 * day, "{}[30d]", 1, "30d until 2026-12-06T01:58:42Z, by http"},
		"a day":               {[]string{"--for=1d"}, day, "{}[1d]", 30, "1d until"},
		"a young Prometheus":  {nil, 3 * day, "{}[30d]", 10, ", which has data of 2d23h59m59s"},
		"a late first scrape": {nil, 29 * day, "{}[30d]", 1, "30d until"},
		"one cluster":         {[]string{`--match=cluster="a"`}, 30 * day, `{cluster="a"}[30d]`, 1, "30d until"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &answers{first: now().Add(-tc.since).Add(time.Second), values: all()}
			r, err := askPrometheus(t, a, tc.args...)
			require.NoError(t, err)
			require.Len(t, r.Rows, 1)
			require.Equal(t, Amounts{RedirectedBytes: 100 * gb, Redirects: 1000, CopiedBytes: 10 * gb, Copies: 20}, r.Rows[0].Amounts)
			require.InEpsilon(t, 90*.045, r.Rows[0].SavedNAT, 1e-9)
			require.InEpsilon(t, tc.month*r.Rows[0].Net(), r.Rows[0].Monthly, 0.001)
			require.InEpsilon(t, 50, *r.Rows[0].RedirectsPerCopy, 1e-9)
			require.Contains(t, r.Period[0], tc.line)
			require.Len(t, a.queries, 5)
			for _, q := range a.queries[1:] {
				require.Contains(t, q, tc.query)
			}
		})
	}
}

// Workers of earlier builds counted bytes without an upstream, and nothing counted redirects. A
// period can begin before the upgrade.
func TestPrometheusSinceBeforeTheUpgrade(t *testing.T) {
	values := all()
	earlier := fmt.Sprintf(`{"metric":{"pool":"s3_us-west-2"},"value":[0,"%d"]},`, 1000*gb)
	values["cloud_mirror_copied_bytes_total"] = strings.Replace(values["cloud_mirror_copied_bytes_total"], `"result":[`, `"result":[`+earlier, 1)
	r, err := askPrometheus(t, &answers{first: now().Add(-10 * 24 * time.Hour), values: values})
	require.NoError(t, err)
	require.Len(t, r.Rows, 1)
	require.InDelta(t, 10*gb, r.Total.CopiedBytes, 0)
}

func TestPrometheusWithoutAnAnswer(t *testing.T) {
	without := func(metric string) map[string]string {
		values := all()
		delete(values, metric)
		return values
	}
	scalar := all()
	scalar["cloud_mirror_copies_total"] = `{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}`
	month := now().Add(-30 * 24 * time.Hour)
	for name, tc := range map[string]struct {
		answers answers
		err     string
	}{
		"no data":        {answers{values: all()}, "no data of cloud_mirror_copy_redirects_total in the last 30d"},
		"no front end":   {answers{first: month, values: without("cloud_mirror_redirected_bytes_total")}, "no process reports cloud_mirror_redirected_bytes_total"},
		"no worker":      {answers{first: month, values: without("cloud_mirror_copies_total")}, "no process reports cloud_mirror_copies_total"},
		"an error":       {answers{status: http.StatusBadRequest}, "bad_data: 1:5: parse error"},
		"a server error": {answers{status: http.StatusBadGateway}, "502"},
		"another answer": {answers{first: month, values: scalar}, "the answer is a scalar, not a vector"},
		"not its answer": {answers{first: month, values: map[string]string{"cloud_mirror_copies_total": "<html>"}}, "--prometheus: http"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := askPrometheus(t, &tc.answers)
			require.ErrorContains(t, err, tc.err)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}
