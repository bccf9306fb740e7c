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

// node takes v<X.Y.Z>/<file>, at the root and below dist and download/release. The file has an
// extension, since folders have none. The documentation of a release can change. Its SHASUMS256.txt
// does when builds are added, or signed again:
// https://github.com/nodejs/node/blob/main/doc/contributing/releases.md
func node(path string) bool {
	for _, dir := range [...]string{"dist/", "download/release/"} {
		if below, ok := strings.CutPrefix(path, dir); ok {
			path = below
			break
		}
	}
	path, v := strings.CutPrefix(path, "v")
	path, core := cutCore(path)
	path, slash := strings.CutPrefix(path, "/")
	if !v || !core || !slash || strings.HasPrefix(path, "docs/") {
		return false
	}
	_, file := cutLast(path)
	if strings.HasPrefix(file, "SHASUMS") || file == "index.html" {
		return false
	}
	dot := strings.LastIndexByte(file, '.')
	return dot > 0 && dot < len(file)-1
}

// oci takes blobs by their SHA-256, which is verified:
//
//   - v2/<name>/blobs/sha256:<64 hex digits> of a registry, see
//     https://github.com/opencontainers/distribution-spec.
//   - docker/registry/v2/blobs/sha256/<2 digits>/<64 hex digits>/data of the bucket behind one.
//
// Manifests are mutable here: they are small, and their type depends on the request's Accept.
func oci(path string) (digest string, ok bool) {
	if blob, bucket := strings.CutPrefix(path, "docker/registry/v2/blobs/sha256/"); bucket {
		prefix, rest, _ := cutSegment(blob)
		digest, data, _ := cutSegment(rest)
		return digest, data == "data" && isHex(digest, 64) && digest[:2] == prefix
	}
	path, v2 := strings.CutPrefix(path, "v2/")
	path, file := cutLast(path)
	digest, sha256 := strings.CutPrefix(file, "sha256:")
	name, blobs := strings.CutSuffix(path, "/blobs")
	return digest, v2 && sha256 && blobs && isHex(digest, 64) && isRepository(name)
}

// isRepository reports whether s is the name of a repository: components of lower-case letters and
// digits that '.', '_' and '-' separate.
func isRepository(s string) bool {
	for component := range strings.SplitSeq(s, "/") {
		if component == "" || strings.IndexByte("._-", component[0]) >= 0 || !isEscaped(component, "._-") ||
			strings.Contains(component, "!") {
			return false
		}
	}
	return true
}
