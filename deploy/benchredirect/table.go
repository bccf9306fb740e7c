package main

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// table is what is printed.
type table struct{ rows []row }

type row struct {
	what, unit            string
	figure, ratio, target float64
}

// add adds a figure. The ratio is to the bare router, and the target is for it, or for the figure if there is none: the
// least that it should be, or if negative the most; 0 is none.
func (t *table) add(what string, figure float64, unit string, ratio, target float64) {
	t.rows = append(t.rows, row{what, unit, figure, ratio, target})
}

func (t *table) print(w io.Writer) {
	line := func(what, figure, unit, ratio, target, verdict string) {
		fmt.Fprintf(w, "%-52s%10s %-7s%7s%15s %s\n", what, figure, unit, ratio, target, verdict)
	}
	line("", "measured", "", "ratio", "target", "")
	for _, r := range t.rows {
		ratio, target, verdict := "", "", ""
		judged := r.figure
		if r.ratio != 0 {
			ratio, judged = fmt.Sprintf("%.2f", r.ratio), r.ratio
		}
		switch {
		case r.target > 0:
			target = fmt.Sprintf("at least %.3g", r.target)
		case r.target < 0:
			target = fmt.Sprintf("at most %.3g", -r.target)
		}
		if r.target > 0 && judged < r.target || r.target < 0 && judged > -r.target {
			verdict = "missed"
		}
		format := "%.2f"
		if r.figure >= 100 {
			format = "%.0f"
		}
		line(r.what, fmt.Sprintf(format, r.figure), r.unit, ratio, target, verdict)
	}
}

func quantile(all []float64, q float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[int(math.Ceil(q*float64(len(all))))-1]
}
