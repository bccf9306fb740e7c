package upstream

import "strings"

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
