package upstream

import "strings"

// A fault of a path forbids its copy. Package storage/origin judges the URLs below an upstream's
// root by the same rule for dot segments. A test in deploy/config compares them.
type pathFaults uint8

const (
	// unsafe paths can lead to another place than their text says: dot segments, backslashes, and
	// encoded dots, slashes, backslashes and control characters.
	unsafe pathFaults = 1 << iota
	// ambiguous paths stay below the root, but servers read them differently: empty segments, and
	// percent signs without two hex digits.
	ambiguous
)

// faults inspects a path that begins with a slash.
func faults(path string) (found pathFaults) {
	for i := range len(path) {
		switch path[i] {
		case '/':
			if below := path[i+1:]; strings.HasPrefix(below, "/") {
				found |= ambiguous
			} else if isDots(below) {
				found |= unsafe
			}
		case '\\':
			found |= unsafe
		case '%':
			found |= escapeFaults(path[i:])
		}
	}
	return found
}

// isDots reports whether a path begins with a dot segment. Some servers drop the parameters of a
// segment, so "..;a" is one too. An encoded dot is a fault by itself.
func isDots(path string) bool {
	path, one := strings.CutPrefix(path, ".")
	path = strings.TrimPrefix(path, ".")
	return one && (path == "" || path[0] == '/' || path[0] == ';' || len(path) >= 3 && strings.EqualFold(path[:3], "%3b"))
}

// escapeFaults judges the escape at the start of s. It looks through encodings of the percent sign,
// since some servers decode twice. %C0 and %C1 begin overlong encodings of ASCII characters.
func escapeFaults(s string) pathFaults {
	i := 1
	for strings.HasPrefix(s[i:], "25") {
		i += 2
	}
	if len(s) < i+2 {
		return orAmbiguous(i)
	}
	c, ok := unhex(s[i], s[i+1])
	switch {
	case !ok:
		return orAmbiguous(i)
	case c < ' ', c == '.', c == '/', c == '\\', c == 0x7f, c == 0xc0, c == 0xc1:
		return unsafe
	}
	return 0
}

// orAmbiguous judges an escape that ends after i bytes: a percent sign, encoded unless i is 1.
func orAmbiguous(i int) pathFaults {
	if i == 1 {
		return ambiguous
	}
	return 0
}
