package upstream

import "strings"

// conda takes <channel>/<subdir>/<name>-<version>-<build>.conda and .tar.bz2. The version starts
// with a digit. Paths with a token (/t/<token>/) are private, and so never copied.
func conda(path string) bool {
	dir, file := cutLast(path)
	_, subdir := cutLast(dir)
	file, ok := cutAnySuffix(file, ".conda", ".tar.bz2")
	if !ok || !isSubdir(subdir) || hasSegments(path, "t") {
		return false
	}
	build := strings.LastIndexByte(file, '-')
	if build < 0 || build == len(file)-1 {
		return false
	}
	version := strings.LastIndexByte(file[:build], '-')
	return version > 0 && startsWithDigit(file[version+1:build])
}

// isSubdir reports whether s names the platform of conda packages.
func isSubdir(s string) bool {
	system, arch, _ := strings.Cut(s, "-")
	switch system {
	case "linux", "osx", "win", "emscripten", "wasi", "freebsd", "zos":
		return arch != ""
	}
	return s == "noarch"
}
