package upstream

import (
	"strings"

	"github.com/cloud-mirror/cloud-mirror/storage/paths"
)

// A fault of a path forbids its copy.
type pathFaults uint8

const (
	// unsafe paths can lead to another place than their text says; see [paths.Leaves].
	unsafe pathFaults = 1 << iota
	// ambiguous paths stay below the root, but servers read them differently: empty segments, and
	// percent signs without two hex digits.
	ambiguous
)

// faults inspects a path that begins with a slash.
func faults(path string) (found pathFaults) {
	if paths.Leaves(path) {
		found |= unsafe
	}
	if strings.Contains(path, "//") || !paths.ValidEscapes(path) {
		found |= ambiguous
	}
	return found
}
