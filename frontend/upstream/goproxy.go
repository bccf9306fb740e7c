package upstream

import "strings"

// goproxy takes <module>/@v/<version>.zip, .mod and .info of the module proxy protocol, see
// https://go.dev/ref/mod#goproxy-protocol. The version is canonical, so that it is no branch and no
// query such as v1. Pseudo-versions are canonical. Upper case is escaped by an exclamation mark.
func goproxy(path string) bool {
	module, file, _ := strings.Cut(path, "/@v/")
	version, ok := cutAnySuffix(file, ".zip", ".mod", ".info")
	return ok && isModule(module) && isCanonical(version)
}

// isModule reports whether s is an escaped module path.
func isModule(s string) bool {
	for segment := range strings.SplitSeq(s, "/") {
		if segment == "" || segment[0] == '.' || !isEscaped(segment, "-._~") {
			return false
		}
	}
	return true
}

// isCanonical reports whether s is an escaped canonical version of a module, see
// https://go.dev/ref/mod#glos-canonical-version.
func isCanonical(s string) bool {
	s, v := strings.CutPrefix(s, "v")
	s, core := cutCore(s)
	if !v || !core {
		return false
	}
	s = strings.TrimSuffix(s, "+incompatible")
	if s == "" {
		return true
	}
	s, ok := strings.CutPrefix(s, "-")
	for identifier := range strings.SplitSeq(s, ".") {
		leadingZero := len(identifier) > 1 && identifier[0] == '0' && isNumber(identifier)
		ok = ok && identifier != "" && !leadingZero && isEscaped(identifier, "-")
	}
	return ok
}
