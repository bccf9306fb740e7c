package upstream

import "strings"

// github takes, for github.com and codeload.github.com:
//
//   - <owner>/<repo>/releases/download/<tag>/<file>, unless the tag moves.
//   - <owner>/<repo>/archive/<commit>.tar.gz and .zip.
//   - <owner>/<repo>/tar.gz/<commit> and zip/<commit>.
//
// A branch or tag of an archive can move, and releases/latest/download does with each release. A
// commit is 40 hex digits, since a shorter one can become ambiguous.
func github(path string) bool {
	_, path, owner := cutSegment(path)
	_, path, repo := cutSegment(path)
	if !owner || !repo {
		return false
	}
	if asset, ok := strings.CutPrefix(path, "releases/download/"); ok {
		tag, file := cutLast(asset)
		return file != "" && tag != "" && !moving(tag)
	}
	kind, commit, _ := cutSegment(path)
	switch kind {
	case "archive":
		commit, archive := cutAnySuffix(commit, ".tar.gz", ".zip")
		return archive && isHex(commit, 40)
	case "tar.gz", "zip":
		return isHex(commit, 40)
	}
	return false
}

// moving reports whether projects usually move such a tag from release to release:
//
//   - A tag without a digit (latest, nightly, stable).
//   - A tag with a word for moving builds, unless it holds a date. nightly-2024-05-01 stays, and
//     v2-nightly moves.
//   - v and one or two digits: the major version of a GitHub action.
//   - A tag with .x: a line of versions.
func moving(tag string) bool {
	if !strings.ContainsAny(tag, "0123456789") {
		return true
	}
	if _, last := cutLast(tag); len(last) <= 3 && last != "" && last[0] == 'v' && isNumber(last[1:]) {
		return true
	}
	return hasWildcard(tag) || hasMovingWord(tag) && !hasDate(tag)
}

// hasWildcard reports whether a part of a version is x.
func hasWildcard(tag string) bool {
	for i := range len(tag) - 1 {
		if tag[i] != '.' || tag[i+1]|0x20 != 'x' {
			continue
		}
		if end := i + 2; end == len(tag) || !isDigit(tag[end]) && !isLower(tag[end]) && !isUpper(tag[end]) {
			return true
		}
	}
	return false
}

func hasMovingWord(s string) bool {
	for start := 0; start < len(s); {
		end := start
		for end < len(s) && (isLower(s[end]) || isUpper(s[end])) {
			end++
		}
		if isMovingWord(s[start:end]) {
			return true
		}
		start = end + 1
	}
	return false
}

func isMovingWord(word string) bool {
	switch len(word) {
	case 3, 4, 5, 6, 7, 8, 10:
	default:
		return false
	}
	for _, w := range [...]string{
		"latest", "nightly", "snapshot", "canary", "edge", "dev", "devel", "head", "tip", "trunk", "main", "master",
		"continuous", "current", "rolling", "unstable", "daily", "weekly",
	} {
		if strings.EqualFold(word, w) {
			return true
		}
	}
	return false
}

// hasDate reports whether s holds a date such as 20240501, 2024-05-01 or 2024.05.01.
func hasDate(s string) bool {
	for i := range len(s) {
		if !strings.HasPrefix(s[i:], "20") || i > 0 && isDigit(s[i-1]) {
			continue
		}
		if len(s) >= i+8 && isNumber(s[i:i+8]) && (len(s) == i+8 || !isDigit(s[i+8])) {
			return true
		}
		if len(s) >= i+10 && isNumber(s[i:i+4]) && strings.IndexByte("-._", s[i+4]) >= 0 && s[i+4] == s[i+7] &&
			isNumber(s[i+5:i+7]) && isNumber(s[i+8:i+10]) {
			return true
		}
	}
	return false
}
