package report

import "fmt"

// Unit writes a figure with its unit.
type Unit func(float64) string

const (
	mib = 1 << 20
	gib = 1 << 30
)

// Seconds writes seconds.
func Seconds(s float64) string { return fmt.Sprintf("%.3f s", s) }

// Milliseconds writes milliseconds.
func Milliseconds(ms float64) string { return fmt.Sprintf("%.2f ms", ms) }

// PerSecond writes a rate.
func PerSecond(n float64) string {
	if n >= 100 {
		return fmt.Sprintf("%.0f /s", n)
	}
	return fmt.Sprintf("%.1f /s", n)
}

// Times writes a number without a unit.
func Times(f float64) string { return fmt.Sprintf("%.2f", f) }

// Bytes writes bytes.
func Bytes(n float64) string { return fmt.Sprintf("%.0f B", n) }

// MiB writes bytes as MiB.
func MiB(n float64) string { return fmt.Sprintf("%.0f MiB", n/mib) }

// Size writes bytes as GiB if they are a multiple of it, and as MiB otherwise.
func Size[T ~int | ~int64](n T) string {
	if n >= gib && n%gib == 0 {
		return fmt.Sprintf("%d GiB", n/gib)
	}
	return MiB(float64(n))
}

// Target is a bound of a figure. The zero value is none.
type Target struct {
	bound float64
	least bool
}

// AtMost is an upper bound.
func AtMost(bound float64) Target { return Target{bound: bound} }

// AtLeast is a lower bound.
func AtLeast(bound float64) Target { return Target{bound: bound, least: true} }

func (t Target) missed(v float64) bool {
	if t.least {
		return v < t.bound
	}
	return t.bound != 0 && v > t.bound
}

func (t Target) text(unit Unit) string {
	switch {
	case t.bound == 0:
		return ""
	case t.least:
		return "≥ " + unit(t.bound)
	default:
		return "≤ " + unit(t.bound)
	}
}
