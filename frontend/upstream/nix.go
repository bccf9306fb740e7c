package upstream

import "strings"

// nix takes nar/<hash>.nar[.<compression>] of a binary cache. The hash, of at least 52 characters,
// is that of the file. A store path alone has 32: its contents can differ between builds.
func nix(path string) bool {
	dir, file := cutLast(path)
	if _, last := cutLast(dir); last != "nar" {
		return false
	}
	hash, compression, ok := strings.Cut(file, ".nar")
	if !ok || len(hash) < 52 || compression != "" && (compression[0] != '.' || len(compression) < 2) {
		return false
	}
	for i := range len(hash) {
		if c := hash[i]; !isDigit(c) && !isLower(c) && c != '-' {
			return false
		}
	}
	return true
}
