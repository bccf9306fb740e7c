package savings

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// write writes the report for people.
func (r *Report) write(w io.Writer) error {
	var out, lines strings.Builder
	for _, line := range r.Period {
		fmt.Fprintln(&out, line)
	}
	fmt.Fprintln(&out)
	pool, upstream := width(r, func(row Row) string { return row.Pool }), width(r, func(row Row) string { return row.Upstream })
	table := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(row Row, cells ...string) {
		names := fmt.Sprintf("%-*s  %-*s", pool, row.Pool, upstream, row.Upstream) // To the left.
		fmt.Fprintln(table, names+"\t"+strings.Join(cells, "\t")+"\t")
	}
	line(heads, "redirected", "copied", "redirects", "saved:", "saved:", "spent:", "spent:", "spent:", "balance", "min_size")
	line(Row{}, "GB", "GB", "per copy", "NAT", "region", "requests", "storage", "Temporal", r.Currency+"/month", "from")
	for _, row := range append(r.Rows, r.Total) {
		line(row, Money(row.RedirectedBytes/gb), Money(row.CopiedBytes/gb), ratio(row.RedirectsPerCopy),
			Money(row.SavedNAT), Money(row.SavedRegion), Money(row.Requests), Money(row.Storage), Money(row.Temporal),
			Money(row.Monthly), breakEven(row))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(lines.String()) {
		out.WriteString(strings.TrimPrefix(line, "  ")) // The first column is padded too.
	}
	fmt.Fprintln(&out)
	for _, a := range r.Assumptions {
		fmt.Fprintln(&out, "- "+a)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// heads are the heads of the first columns.
var heads = Row{Pool: "pool", Upstream: "upstream"}

// width returns the width of a column, in bytes: pools and upstreams are ASCII.
func width(r *Report, column func(Row) string) int {
	widest := max(len(column(heads)), len(column(r.Total)))
	for _, row := range r.Rows {
		widest = max(widest, len(column(row)))
	}
	return widest
}

// Money writes an amount with two decimals. A small amount differs from none, and a small loss has its
// sign.
func Money(f float64) string {
	switch {
	case f == 0: // Or -0, such as the product of a loss and no price.
		return "0.00"
	case f > 0 && f < 0.01:
		return "<0.01"
	default:
		return fmt.Sprintf("%.2f", f)
	}
}

func ratio(f *float64) string {
	if f == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f", *f)
}

func breakEven(r Row) string {
	switch {
	case r.BreakEven != nil:
		return size(config.Size(*r.BreakEven))
	case r.RedirectsPerCopy != nil && r.Path != "":
		return "never"
	default:
		return "–"
	}
}

func size(s config.Size) string {
	text, _ := s.MarshalText() // It never fails.
	return string(text)
}
