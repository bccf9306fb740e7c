package upstream

import "strings"

// cutLast splits a path around its last slash. Without a slash all of it is the file.
func cutLast(path string) (dir, file string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// cutSegment splits a path around its first slash. It fails if the segment is empty, or the last.
func cutSegment(path string) (segment, rest string, ok bool) {
	segment, rest, ok = strings.Cut(path, "/")
	return segment, rest, ok && segment != ""
}

// hasSegments reports whether dir, a run of whole segments, is in the path before its last segment.
func hasSegments(path, dir string) bool {
	return strings.HasPrefix(path, dir+"/") || strings.Contains(path, "/"+dir+"/")
}

// cutAnySuffix removes the first of the suffixes that s ends in.
func cutAnySuffix(s string, suffixes ...string) (string, bool) {
	for _, suffix := range suffixes {
		if before, ok := strings.CutSuffix(s, suffix); ok {
			return before, true
		}
	}
	return s, false
}

// cutCore removes the core of a semantic version, X.Y.Z without leading zeros (https://semver.org).
func cutCore(s string) (rest string, ok bool) {
	for i := range 3 {
		n := 0
		for n < len(s) && isDigit(s[n]) {
			n++
		}
		if n == 0 || n > 1 && s[0] == '0' {
			return s, false
		}
		s = s[n:]
		if i < 2 {
			if s, ok = strings.CutPrefix(s, "."); !ok {
				return s, false
			}
		}
	}
	return s, true
}

// isEscaped reports whether s has only lower-case letters, escaped letters, digits, and others.
func isEscaped(s, others string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isLower(c), isDigit(c), strings.IndexByte(others, c) >= 0:
		case c == '!' && i+1 < len(s) && isLower(s[i+1]):
			i++
		default:
			return false
		}
	}
	return true
}

// isHex reports whether s is n hex digits in lower case.
func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		if !isDigit(s[i]) && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

// startsWithDigit reports whether s starts with a decimal digit.
func startsWithDigit(s string) bool { return s != "" && isDigit(s[0]) }

// isNumber reports whether s is digits only, at least one.
func isNumber(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

// isPrintable reports whether s has neither spaces, nor control characters, nor a fragment. Clients
// would drop or re-encode these. Bytes outside ASCII are left to the source.
func isPrintable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '#' {
			return false
		}
	}
	return true
}

// lowerASCII leaves everything outside ASCII alone: strings.ToLower maps the Kelvin sign to k.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if isUpper(c) {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// unhex decodes two hex digits.
func unhex(a, b byte) (byte, bool) {
	high, ok := nibble(a)
	low, too := nibble(b)
	return high<<4 | low, ok && too
}

func nibble(c byte) (byte, bool) {
	switch {
	case isDigit(c):
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
