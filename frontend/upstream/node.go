package upstream

import "strings"

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
