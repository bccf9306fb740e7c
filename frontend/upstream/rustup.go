package upstream

import "strings"

// rustup takes, of static.rust-lang.org:
//
//   - dist/<YYYY-MM-DD>/<file>.
//   - rustup/archive/<version>/<target>/<file>.
//
// The index.html of a folder lists its files, and more can come. The files of dist without a date
// are those of the latest release of a channel.
func rustup(path string) bool {
	if dated, ok := strings.CutPrefix(path, "dist/"); ok {
		date, file, _ := cutSegment(dated)
		return isDate(date) && file != "" && file != "index.html" && !strings.Contains(file, "/")
	}
	path, ok := strings.CutPrefix(path, "rustup/archive/")
	version, path, _ := cutSegment(path)
	target, file, _ := cutSegment(path)
	rest, core := cutCore(version)
	return ok && core && rest == "" && target != "" && file != "" && !strings.Contains(file, "/")
}

// isDate reports whether s is YYYY-MM-DD.
func isDate(s string) bool {
	return len(s) == 10 && s[4] == '-' && s[7] == '-' && isNumber(s[:4]) && isNumber(s[5:7]) && isNumber(s[8:]) &&
		"01" <= s[5:7] && s[5:7] <= "12" && "01" <= s[8:] && s[8:] <= "31"
}
