package main

import (
	"math"
	"strings"
	"testing"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

func TestTable(t *testing.T) {
	r := result{title: "A hit", columns: append(columnsOf([]int{1000, 100_000}), column{label: "other"})}
	for _, v := range []float64{40, 81, 200} {
		r.add("CPU", microseconds, perUnit, 5, v)
	}
	for _, v := range []float64{.1, .9, 30} {
		r.add("below the floor", microseconds, perUnit, 5, v)
	}
	for _, v := range []float64{1 << 20, 100 << 20} {
		r.add("memory", report.MiB, linear, 0, v)
	}
	for _, v := range []float64{1 << 20, 101 << 20} {
		r.add("more memory", report.MiB, linear, 0, v)
	}
	for _, v := range []float64{1, math.Inf(1), math.NaN()} {
		r.add("latency", report.Milliseconds, free, 0, v)
	}
	r.notes = []string{"a note"}
	const want = `
A hit

                     1,000   100,000  growth     other  growth         bound
             CPU   40.0 µs   81.0 µs    2.02  200.0 µs    5.00        ≤ 2.00  missed: 100,000
 below the floor    0.1 µs    0.9 µs    1.00   30.0 µs    6.00        ≤ 2.00
          memory     1 MiB   100 MiB  100.00                    ≤ the size's
     more memory     1 MiB   101 MiB  101.00                    ≤ the size's  missed: 100,000
         latency   1.00 ms    failed  failed                                  missed: 100,000
a note
`
	var b strings.Builder
	r.print(&b)
	if got, want := squeeze(b.String()), squeeze(want); got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
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

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1_234_567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written as %s, want %s", n, got, want)
		}
	}
}

func TestSelected(t *testing.T) {
	for _, c := range []struct{ only, sizes, want string }{
		{"", "", "hits connections workflows backlog"},
		{"backlog,hits", "", "backlog hits"},
		{"hits", "10,20", "hits"},
		{"disk", "", `-only: no section is named "disk"`},
		{"hits,", "", `-only: no section is named ""`},
		{"", "10", "-sizes needs one section: set -only"},
		{"hits", "10,x", `-sizes: "x" is not a positive number`},
		{"hits", "20,10", "-sizes: the smallest comes first"},
	} {
		list, err := selected(c.only, c.sizes)
		var names []string
		for _, s := range list {
			names = append(names, s.name)
		}
		got := strings.Join(names, " ")
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("-only %q -sizes %q selects %q, want %q", c.only, c.sizes, got, c.want)
		}
	}
	list, err := selected("hits", "10,20")
	if err != nil || len(list) != 1 || len(list[0].sizes) != 2 || list[0].sizes[1] != 20 {
		t.Errorf("the sizes are %v (%v)", list, err)
	}
}
