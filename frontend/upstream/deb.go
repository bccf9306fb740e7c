package upstream

import "strings"

// deb takes, see https://wiki.debian.org/DebianRepository/Format:
//
//   - pool/…/<package>_<version>… with the ending of a package or of a part of a source package.
//   - …/by-hash/SHA256/<64 hex digits>, whose digest is verified, and by-hash/SHA512.
//
// by-hash/MD5Sum is mutable, since anyone can make collisions. So is everything else in dists.
func deb(path string) (digest string, ok bool) {
	dir, file := cutLast(path)
	switch {
	case strings.HasSuffix(dir, "/by-hash/SHA256") && isHex(file, 64):
		return file, true
	case strings.HasSuffix(dir, "/by-hash/SHA512"):
		return "", isHex(file, 128)
	case !hasSegments(path, "pool"):
		return "", false
	}
	file, ok = cutAnySuffix(strings.TrimSuffix(file, ".asc"), ".deb", ".udeb", ".ddeb", ".dsc", ".tar.gz", ".tar.xz",
		".tar.bz2", ".tar.zst", ".tar.lzma", ".diff.gz")
	name, version, _ := strings.Cut(file, "_")
	return "", ok && name != "" && startsWithDigit(version) // Versions start with a digit: deb-version(7).
}
