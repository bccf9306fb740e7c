package load

import (
	"fmt"
	"math"
	"slices"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/report"
)

// Samples are the latencies of one client's requests.
type Samples struct {
	Took   []float64 // Of successful requests, in milliseconds
	Failed map[string]int
}

// Merge returns the samples of all.
func Merge(list ...Samples) (all Samples) {
	all.Failed = map[string]int{}
	for _, s := range list {
		all.Took = append(all.Took, s.Took...)
		for why, n := range s.Failed {
			all.Failed[why] += n
		}
	}
	return all
}

// Failures returns the number of failed requests.
func (s Samples) Failures() (n int) {
	for _, count := range s.Failed {
		n += count
	}
	return n
}

// Quantile returns a quantile in milliseconds. It counts a failed request as one that takes for
// ever. Without a request it is infinite.
func (s Samples) Quantile(q float64) float64 {
	took := slices.Clone(s.Took)
	for range s.Failures() {
		took = append(took, math.Inf(1))
	}
	if len(took) == 0 {
		return math.Inf(1)
	}
	return report.Quantile(took, q)
}

// String lists the median, the p99 and the failures.
func (s Samples) String() string {
	text := fmt.Sprintf("p50 %s, p99 %s, %d succeeded", Milliseconds(s.Quantile(.5)), Milliseconds(s.Quantile(.99)), len(s.Took))
	if len(s.Failed) > 0 {
		text += ", " + DescribeCounts(s.Failed)
	}
	return text
}

// Milliseconds writes a latency without its unit.
func Milliseconds(ms float64) string {
	if math.IsInf(ms, 1) {
		return "failed"
	}
	if ms >= 100 {
		return fmt.Sprintf("%.0f", ms)
	}
	return fmt.Sprintf("%.2f", ms)
}
