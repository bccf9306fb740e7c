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

// rpm takes:
//
//   - <name>-<version>-<release>.<arch>.rpm, in any folder. The version starts with a digit.
//   - repodata/<hex digest>-<file>: metadata that repomd.xml names by its SHA-256 or SHA-1.
func rpm(path string) bool {
	dir, file := cutLast(path)
	if _, last := cutLast(dir); last == "repodata" {
		digest, name, _ := strings.Cut(file, "-")
		return name != "" && (isHex(digest, 64) || isHex(digest, 40))
	}
	file, ok := strings.CutSuffix(file, ".rpm")
	dot := strings.LastIndexByte(file, '.')
	if !ok || dot < 0 || !isRPMArch(file[dot+1:]) {
		return false
	}
	release := strings.LastIndexByte(file[:dot], '-')
	if release < 0 || release == dot-1 {
		return false
	}
	version := strings.LastIndexByte(file[:release], '-')
	return version > 0 && startsWithDigit(file[version+1:release])
}

func isRPMArch(s string) bool {
	switch s {
	case "x86_64", "x86_64_v2", "aarch64", "noarch", "src", "nosrc", "i386", "i486", "i586", "i686", "ppc64", "ppc64le",
		"s390x", "armv7hl", "riscv64", "loongarch64":
		return true
	}
	return false
}

// conda takes <channel>/<subdir>/<name>-<version>-<build>.conda and .tar.bz2. The version starts
// with a digit. Paths with a token (/t/<token>/) are private, and so never copied.
func conda(path string) bool {
	dir, file := cutLast(path)
	_, subdir := cutLast(dir)
	file, ok := cutAnySuffix(file, ".conda", ".tar.bz2")
	if !ok || !isSubdir(subdir) || hasSegments(path, "t") {
		return false
	}
	build := strings.LastIndexByte(file, '-')
	if build < 0 || build == len(file)-1 {
		return false
	}
	version := strings.LastIndexByte(file[:build], '-')
	return version > 0 && startsWithDigit(file[version+1:build])
}

// isSubdir reports whether s names the platform of conda packages.
func isSubdir(s string) bool {
	system, arch, _ := strings.Cut(s, "-")
	switch system {
	case "linux", "osx", "win", "emscripten", "wasi", "freebsd", "zos":
		return arch != ""
	}
	return s == "noarch"
}

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
