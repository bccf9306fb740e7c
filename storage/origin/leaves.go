package origin

import (
	"strconv"
	"strings"
)

// leaves reports whether a server could read a path, which begins with a slash, as a path to one of
// its parents: it has dot segments, or encoded dots, slashes, backslashes or control characters.
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
			if escapesUnsafe(path[i+1:]) {
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

// escapesUnsafe reports whether the text behind a percent sign encodes a dot, a slash, a backslash
// or a control character. Some servers end a path at %00, so "..%00" is a dot segment. Some decode
// twice, so it looks through encoded percent signs. C0 and C1 begin overlong encodings.
func escapesUnsafe(escape string) bool {
	for strings.HasPrefix(escape, "25") {
		escape = escape[2:]
	}
	if len(escape) < 2 {
		return false
	}
	c, err := strconv.ParseUint(escape[:2], 16, 8)
	return err == nil && (c < ' ' || c == 0x7f || c == '.' || c == '/' || c == '\\' || c == 0xc0 || c == 0xc1)
}
