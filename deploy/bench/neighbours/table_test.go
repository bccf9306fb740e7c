package main

import (
	"strings"
	"testing"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
)

// took returns n samples of so many milliseconds, of which some failed.
func took(n int, ms float64, failed int) load.Samples {
	s := load.Samples{Failed: map[string]int{}}
	for range n {
		s.Took = append(s.Took, ms)
	}
	if failed > 0 {
		s.Failed["time-out"] = failed
	}
	return s
}

func TestVerdict(t *testing.T) {
	quiet := phase{Hits: took(200, 1, 0), Cold: took(20, 100, 0)}
	for name, c := range map[string]struct {
		hits, cold load.Samples
		want       string
	}{
		"as in the quiet phase":             {took(200, 1, 0), took(20, 100, 0), "holds"},
		"at the bound":                      {took(200, 2, 0), took(20, 1200, 0), "holds"},
		"slow hits":                         {took(200, 2.1, 0), took(20, 100, 0), "missed: hits"},
		"slow cold requests":                {took(200, 1, 0), took(20, 1201, 0), "missed: cold"},
		"1 % of the hits failed":            {took(198, 1, 2), took(20, 100, 0), "holds"},
		"more of the hits failed":           {took(197, 1, 3), took(20, 100, 0), "missed: hits"},
		"a cold request failed":             {took(200, 1, 0), took(19, 100, 1), "missed: cold"},
		"all failed":                        {took(0, 0, 200), took(0, 0, 20), "missed: hits, cold"},
		"no request was made by the client": {load.Samples{}, load.Samples{}, "missed: hits, cold"},
	} {
		t.Run(name, func(t *testing.T) {
			hits, cold := compare([]result{{quiet: quiet, beside: phase{Hits: c.hits, Cold: c.cold}}}, 0)
			if got := verdict(hits, cold); got != c.want {
				t.Errorf("the verdict is %q, want %q", got, c.want)
			}
		})
	}
}

func TestQuietFailuresMissTheBound(t *testing.T) {
	broken := phase{Hits: took(0, 0, 200), Cold: took(0, 0, 20)}
	hits, cold := compare([]result{{quiet: broken, beside: broken}}, 0)
	if got := verdict(hits, cold); got != "missed: hits, cold" {
		t.Errorf("the verdict is %q", got)
	}
	if got := hits.ratio(); got != "–" {
		t.Errorf("the ratio is %q", got)
	}
}

// TestBaseline checks that the quiet phases beside an attack count, and those farther away do not.
func TestBaseline(t *testing.T) {
	var results []result
	for _, ms := range []float64{1, 2, 4, 8} {
		results = append(results, result{quiet: phase{Hits: took(1, ms, 0), Cold: took(1, ms, 0)}})
	}
	for i, want := range []float64{2, 4, 8, 8} {
		hits, cold := compare(results, i)
		if got := hits.quiet.Quantile(1); got != want || cold.quiet.Quantile(1) != want {
			t.Errorf("the slowest quiet request of attack %d took %g ms, want %g", i, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	list, err := selected("variants,redis")
	if err != nil {
		t.Fatal(err)
	}
	quiet := phase{Hits: took(200, 1, 0), Cold: took(20, 100, 0)}
	results := []result{
		{attack: list[0], quiet: quiet, beside: phase{Hits: took(200, 1.5, 0), Cold: took(0, 0, 20)}, quietMemory: 50 << 20, besideMemory: 70 << 20, effort: "5000 × 302 Found"},
		{attack: list[1], quiet: quiet, beside: quiet, quietMemory: 50 << 20, besideMemory: 51 << 20, effort: "every write: OOM"},
	}
	const want = `
                                            hits p99                         cold p99                  memory
                                    attack     quiet  beside  ratio  failed     quiet  beside  failed   quiet  beside         bound
  variants: 250 variants of a URL a second      1.00    1.50   1.50   0/200       100  failed   20/20  50 MiB  70 MiB  missed: cold
                  redis: full, no eviction      1.00    1.00   1.00   0/200       100     100    0/20  50 MiB  51 MiB         holds

variants: 250 variants of a URL a second
  attacker: 5000 × 302 Found
  quiet:    hits p50 1.00, p99 1.00, 200 succeeded; cold p50 100, p99 100, 20 succeeded
  beside:   hits p50 1.50, p99 1.50, 200 succeeded; cold p50 failed, p99 failed, 0 succeeded, 20 × time-out
redis: full, no eviction
  attacker: every write: OOM
  quiet:    hits p50 1.00, p99 1.00, 200 succeeded; cold p50 100, p99 100, 20 succeeded
  beside:   hits p50 1.00, p99 1.00, 200 succeeded; cold p50 100, p99 100, 20 succeeded
`
	var b strings.Builder
	printTable(&b, results)
	if got := "\n" + b.String(); lines(got) != lines(want) {
		t.Errorf("the table is%s\nwant%s", got, want)
	}
}

// lines drops spaces at the end of lines.
func lines(text string) string {
	all := strings.Split(text, "\n")
	for i, line := range all {
		all[i] = strings.TrimRight(line, " ")
	}
	return strings.Join(all, "\n")
}

func TestSelected(t *testing.T) {
	for only, want := range map[string]string{
		"":            "bodies idle unread lines lists crawl variants redis",
		"idle":        "idle",
		"redis,lists": "redis lists",
		"idle,":       `-only: no attack is named ""`,
		"disk":        `-only: no attack is named "disk"`,
	} {
		list, err := selected(only)
		var names []string
		for _, a := range list {
			names = append(names, a.name)
		}
		got := strings.Join(names, " ")
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("-only %q selects %q, want %q", only, got, want)
		}
	}
}
