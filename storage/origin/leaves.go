package origin

import (
	"strconv"
	"strings"
)

// leaves reports whether a server could read a path, which begins with a slash, as a path to one of
// its parents: it has dot segments, or encoded dots, slashes or backslashes.
func leaves(path string) bool {
	for i := range len(path) {
		switch path[i] {
		case '\\':
			return true
		case '/':
			segment, _, _ := strings.Cut(path[i+1:], "/")
			if isDots(segment) {
				return true
			}
		case '%':
			if isEncodedSeparator(path[i+1:]) {
				return true
			}
		}
	}
	return false
}

// isDots reports whether a segment is . or .. Some servers drop the parameters of a segment, so
// "..;a" is one too.
func isDots(segment string) bool {
	segment, _, _ = strings.Cut(segment, ";")
	segment, _, _ = strings.Cut(lowerASCII(segment), "%3b")
	return segment == "." || segment == ".."
}

// isEncodedSeparator reports whether the text behind a percent sign encodes a dot, a slash or a
// backslash. Some servers decode twice, so it looks through encoded percent signs. C0 and C1 begin
// overlong encodings of these characters.
func isEncodedSeparator(escape string) bool {
	for strings.HasPrefix(escape, "25") {
		escape = escape[2:]
	}
	if len(escape) < 2 {
		return false
	}
	c, err := strconv.ParseUint(escape[:2], 16, 8)
	return err == nil && (c == '.' || c == '/' || c == '\\' || c == 0xc0 || c == 0xc1)
}
