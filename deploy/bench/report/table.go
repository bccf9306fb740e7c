package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Baseline names the program or setting that the figures are compared with.
type Baseline struct {
	Name string
	// Column shows the figures of the baseline. Without it they are rows of the table, or omitted.
	Column bool
}

// Table is the figures of a benchmark. New makes one.
type Table struct {
	baselines []Baseline
	rows      []Row
}

// Row is one figure.
type Row struct {
	Label  string
	Unit   Unit
	Figure float64
	Target Target
	// Ratios are in the order of the baselines. Missing ones are empty.
	Ratios []Ratio
}

// Ratio compares a figure with that of a baseline. The zero value is no comparison.
type Ratio struct {
	Baseline float64 // The figure of the baseline
	Note     string  // Stands in for that figure
	Ratio    float64
	Target   Target // Of the ratio
}

// Against divides a figure by that of a baseline. A baseline of 0 was not measured.
func Against(figure, baseline float64, target Target) Ratio {
	if baseline == 0 {
		return Ratio{}
	}
	return Ratio{Baseline: baseline, Ratio: figure / baseline, Target: target}
}

// New returns a table without rows.
func New(baselines ...Baseline) *Table { return &Table{baselines: baselines} }

// Title starts a section of the table.
func (t *Table) Title(text string) { t.rows = append(t.rows, Row{Label: text}) }

// Add appends a row. Its unit must be set.
func (t *Table) Add(r Row) { t.rows = append(t.rows, r) }

// Print writes the table with labels on the left, and numbers flush right.
func (t *Table) Print(w io.Writer) {
	lines := [][]string{t.head()}
	indent := ""
	for _, r := range t.rows {
		if r.Unit == nil {
			indent = "  "
			lines = append(lines, []string{r.Label})
			continue
		}
		lines = append(lines, append([]string{indent + r.Label}, t.cells(r)...))
	}
	widths := columnWidths(lines)
	for _, line := range lines {
		if len(line) == 1 {
			fmt.Fprintf(w, "\n%s\n", line[0])
			continue
		}
		fmt.Fprintln(w, strings.TrimRight(t.join(line, widths), " "))
	}
}

func (t *Table) head() []string {
	head := []string{"", "measured", "target"}
	for _, b := range t.baselines {
		if b.Column {
			head = append(head, b.Name, "ratio", "target")
		} else {
			head = append(head, "ratio to "+b.Name, "target")
		}
	}
	return append(head, "")
}

// cells are the columns of a row except the label.
func (t *Table) cells(r Row) []string {
	cells := []string{r.Unit(r.Figure), r.Target.text(r.Unit)}
	var missed []string
	if r.Target.missed(r.Figure) {
		missed = append(missed, "missed")
	}
	for i, b := range t.baselines {
		var ratio Ratio
		if i < len(r.Ratios) {
			ratio = r.Ratios[i]
		}
		if b.Column {
			cells = append(cells, ratio.baselineText(r.Unit))
		}
		cells = append(cells, nonzero(Times, ratio.Ratio), ratio.Target.text(Times))
		if ratio.Ratio != 0 && ratio.Target.missed(ratio.Ratio) {
			missed = append(missed, "missed against "+b.Name)
		}
	}
	return append(cells, strings.Join(missed, ", "))
}

func (r Ratio) baselineText(unit Unit) string {
	if r.Note != "" {
		return r.Note
	}
	return nonzero(unit, r.Baseline)
}

func nonzero(unit Unit, v float64) string {
	if v == 0 {
		return ""
	}
	return unit(v)
}

// columnWidths are those of the widest cell of each column, in characters. Titles have no columns.
func columnWidths(lines [][]string) []int {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		if len(line) == 1 {
			continue
		}
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	return widths
}

// join pads the cells of a line: the first and the last cell flush left, the others flush right.
func (t *Table) join(line []string, widths []int) string {
	var b strings.Builder
	for i, cell := range line {
		padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		switch i {
		case 0:
			b.WriteString(cell + padding)
		case len(line) - 1:
			b.WriteString("  " + cell)
		default:
			b.WriteString("  " + padding + cell)
		}
	}
	return b.String()
}
