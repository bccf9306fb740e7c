package paths

import (
	"strconv"
	"strings"
)

// Leaves reports whether a server could read a path, which begins with a slash, as a path to one of
// its parents: it has dot segments, or encoded dots, slashes, backslashes or control characters.
func Leaves(path string) bool {
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

// isDots reports whether a segment is . or .. for some server. Some servers drop the parameters of a
// segment, as in "..;a". Some decode a path before they cut off its query or fragment, as in "..%3f".
// Windows drops trailing spaces.
func isDots(segment string) bool {
	rest, dot := strings.CutPrefix(segment, ".")
	if !dot {
		return false
	}
	rest = strings.TrimPrefix(rest, ".")
	if escape, ok := strings.CutPrefix(rest, "%"); ok {
		c, ok := encoded(escape)
		return ok && strings.IndexByte("; ?#", c) >= 0
	}
	return rest == "" || rest[0] == ';' || rest[0] == ' '
}

// escapesUnsafe reports whether the text behind a percent sign encodes a dot, a slash, a backslash
// or a control character. Some servers end a path at %00, so "..%00" is a dot segment. C0 and C1
// begin overlong encodings.
func escapesUnsafe(escape string) bool {
	c, ok := encoded(escape)
	return ok && (c < ' ' || c == 0x7f || c == '.' || c == '/' || c == '\\' || c == 0xc0 || c == 0xc1)
}

// encoded returns the byte that the text behind a percent sign encodes. Some servers decode twice,
// so it looks through encoded percent signs.
func encoded(escape string) (c byte, ok bool) {
	for strings.HasPrefix(escape, "25") {
		escape = escape[2:]
	}
	if len(escape) < 2 {
		return 0, false
	}
	n, err := strconv.ParseUint(escape[:2], 16, 8)
	return byte(n), err == nil
}
