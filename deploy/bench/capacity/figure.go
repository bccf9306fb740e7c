package capacity

import (
	"reflect"
	"strconv"
	"strings"
)

// A Figure is a number with its origin.
type Figure struct {
	Name  string
	Value float64
	Unit  string
	// Run is the command and the row of its table, or the page that shows the figure.
	Run string
	// On is the day of the run. Without it the value is provisional, and the page asks for the run.
	On string
}

// origin returns the run as the page shows it.
func (f Figure) origin() string {
	if f.On == "" {
		return "[RUN: " + f.Run + "]"
	}
	return f.Run
}

// Figures returns the fields of a struct of figures, in their order.
func Figures(of any) (all []Figure) {
	for _, field := range reflect.ValueOf(of).Fields() {
		all = append(all, field.Interface().(Figure))
	}
	return all
}

// number writes a value with at most three significant digits.
func number(v float64) string { return Number(v, 3) }

// Number writes a value with a number of significant digits, and groups thousands by commas.
func Number(v float64, significant int) string {
	v = round(v, significant)
	if v < 100 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// round rounds to a number of significant digits.
func round(v float64, significant int) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', significant-1, 64), 64)
	if err != nil {
		panic(err) // The text of a float64 is a float64.
	}
	return r
}
