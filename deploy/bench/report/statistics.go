package report

import (
	"math"
	"slices"
)

// Median returns the median, the upper one of an even number of values, and 0 of none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// Quantile returns the smallest value that at least the fraction q of the values do not exceed.
// There must be a value.
func Quantile(values []float64, q float64) float64 {
	return slices.Sorted(slices.Values(values))[max(0, int(math.Ceil(q*float64(len(values))))-1)]
}
