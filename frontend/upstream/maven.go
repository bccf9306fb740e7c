package upstream

import "strings"

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
