package page

import (
	"fmt"
	"html/template"
	"math"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"

	"github.com/cloud-mirror/cloud-mirror/deploy/savings"
)

// unknown stands for a figure that the page does not know.
const unknown = "unknown"

// functions returns the functions of the templates.
func functions() template.FuncMap {
	return template.FuncMap{
		"bytes": func(n float64) string { return humanize.IBytes(uint64(max(n, 0))) },
		"whole": func(n float64) string { return humanize.Comma(int64(n)) },
		"count": func(n *int64) string {
			if n == nil {
				return unknown
			}
			return humanize.Comma(*n)
		},
		"slots": func(n *float64) string {
			if n == nil {
				return unknown
			}
			return humanize.Comma(int64(*n))
		},
		// percent rounds down: 100 % has no exception.
		"percent": func(rate *float64) string {
			if rate == nil {
				return "–"
			}
			return fmt.Sprintf("%.1f %%", math.Floor(*rate*1000)/10)
		},
		"plural": func(n int, noun string) string { return english.Plural(n, noun, "") },
		"money":  savings.Money,
		"clock":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"ago":    func(now, then time.Time) string { return humanize.RelTime(then, now, "ago", "from now") },
		"age":    func(d time.Duration) string { return d.Round(time.Second).String() },
	}
}
