package main

import (
	"strings"
	"testing"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
)

// took returns a phase of n hits of so many milliseconds, of which some failed.
func took(n int, ms float64, failed int) phase {
	p := phase{Hits: load.Samples{Failed: map[string]int{}}, Length: 10 * time.Second, Idle: .5, FrontEnd: .1}
	for range n {
		p.Hits.Took = append(p.Hits.Took, ms)
	}
	if failed > 0 {
		p.Hits.Failed["time-out"] = failed
	}
	return p
}

func TestVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		failure       bool
		quiet, beside phase
		want          string
	}{
		"as in the quiet phase":             {false, took(200, 1, 0), took(200, 1, 0), "holds"},
		"at the bound":                      {false, took(200, 1, 0), took(200, 7, 0), "holds"},
		"above the bound":                   {false, took(200, 1, 0), took(200, 7.1, 0), "missed"},
		"1 % failed":                        {false, took(200, 1, 0), took(198, 1, 2), "holds"},
		"more failed":                       {false, took(200, 1, 0), took(197, 1, 3), "missed"},
		"quiet hits failed":                 {false, took(0, 1, 200), took(200, 1, 0), "missed"},
		"no hit":                            {false, phase{}, phase{}, "missed"},
		"redis fails":                       {true, took(200, 1, 0), took(200, 2000, 0), "holds"},
		"redis fails, a hit takes longer":   {true, took(200, 1, 0), took(200, 2001, 0), "missed"},
		"redis fails, one of many failed":   {true, took(200, 1, 0), took(199, 1, 1), "missed"},
		"redis fails, all as quick as ever": {true, took(200, 1, 0), took(200, 1, 0), "holds"},
	} {
		t.Run(name, func(t *testing.T) {
			r := result{background: background{failure: c.failure}, quiet: c.quiet, beside: c.beside}
			if got := r.verdict(); got != c.want {
				t.Errorf("the verdict is %q, want %q", got, c.want)
			}
		})
	}
}

func TestPhasesAreJoined(t *testing.T) {
	long, short := took(2, 1, 1), took(1, 3, 1)
	long.Length, long.Idle = 30*time.Second, 0
	p := phase{}.and(long).and(short)
	if len(p.Hits.Took) != 3 || p.Hits.Failures() != 2 || p.Length != 40*time.Second || p.Idle != .125 {
		t.Errorf("the phases are %+v", p)
	}
}

func TestTable(t *testing.T) {
	list, err := selected("copies,freeze")
	if err != nil {
		t.Fatal(err)
	}
	results := []result{
		{background: list[0], quiet: took(200, 1, 0), beside: took(200, 8, 0), effort: "1000 × copied"},
		{background: list[1], quiet: took(200, 1, 0), beside: took(200, 900, 0), effort: "redis was frozen once"},
	}
	const want = `
 p50 p99 slowest processors idle front end's CPU
hits while quiet beside quiet beside beside bound failed quiet beside quiet beside
copies: cold objects are copied 1.00 8.00 1.00 8.00 8.00 7.00 0/200 50 % 50 % 10 % 10 % missed
freeze: redis is frozen for 1 s 1.00 900 1.00 900 900 2000 0/200 50 % 50 % 10 % 10 % holds

copies: 1000 × copied in 10s
quiet: p50 1.00, p99 1.00, 200 succeeded
beside: p50 8.00, p99 8.00, 200 succeeded
freeze: redis was frozen once in 10s
quiet: p50 1.00, p99 1.00, 200 succeeded
beside: p50 900, p99 900, 200 succeeded
`
	var b strings.Builder
	printTable(&b, results)
	if got := "\n" + b.String(); squeeze(got) != squeeze(want) {
		t.Errorf("the table is%s\nwant%s", got, want)
	}
}

// squeeze drops the widths of columns.
func squeeze(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	return strings.Join(lines, "\n")
}

func TestSelected(t *testing.T) {
	for only, want := range map[string]string{
		"":              "copies copies-niced waiters waiters-niced purges purges-niced freeze restart failover",
		"waiters":       "waiters",
		"freeze,copies": "freeze copies",
		"copies,":       `-only: no row is named ""`,
		"disk":          `-only: no row is named "disk"`,
	} {
		list, err := selected(only)
		var names []string
		for _, b := range list {
			names = append(names, b.name)
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
