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

// npm takes <package>/-/<package>-<version>.tgz. The package of @scope/package has only its last
// part in the name of the file; some registries repeat the scope. A published version never changes,
// see https://docs.npmjs.com/policies/unpublish. Metadata is mutable, in all of its spellings.
func npm(path string) bool {
	scope := ""
	if strings.HasPrefix(path, "@") {
		name, rest, ok := cutSegment(path)
		if !ok || name == "@" {
			return false
		}
		scope, path = name, rest
	}
	pkg, path, ok := cutSegment(path)
	file, dash := strings.CutPrefix(path, "-/")
	if !ok || !dash || pkg == "-" {
		return false
	}
	if scope != "" {
		if after, repeated := strings.CutPrefix(file, scope); repeated {
			file = strings.TrimPrefix(after, "/")
		}
	}
	file, named := strings.CutPrefix(file, pkg)
	file, dash = strings.CutPrefix(file, "-")
	rest, versioned := cutCore(strings.TrimSuffix(file, ".tgz"))
	return named && dash && versioned && strings.HasSuffix(file, ".tgz") && !strings.Contains(rest, "/")
}

// maven takes <group>/<artifact>/<version>/<artifact>-<version>[-<classifier>].<extension>, see
// https://maven.apache.org/repositories/layout.html. So it takes no maven-metadata.xml, no
// directory, and nothing at the root. A version with SNAPSHOT moves, and so does one that is only a
// word such as latest.
func maven(path string) bool {
	path, file := cutLast(path)
	path, version := cutLast(path)
	group, artifact := cutLast(path)
	if group == "" || artifact == "" || version == "" || strings.HasPrefix(path, ".") || strings.Contains(path, "/.") {
		return false
	}
	if containsFold(version, "SNAPSHOT") || strings.EqualFold(version, "RELEASE") || isMovingWord(version) {
		return false
	}
	file, named := strings.CutPrefix(file, artifact)
	file, dash := strings.CutPrefix(file, "-")
	file, versioned := strings.CutPrefix(file, version)
	if !named || !dash || !versioned || file == "" || file[0] != '.' && file[0] != '-' {
		return false
	}
	dot := strings.LastIndexByte(file, '.')
	return dot >= 0 && dot < len(file)-1
}

func containsFold(s, word string) bool {
	for i := range len(s) - len(word) + 1 {
		if strings.EqualFold(s[i:i+len(word)], word) {
			return true
		}
	}
	return false
}
