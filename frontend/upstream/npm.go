package upstream

import "strings"

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
