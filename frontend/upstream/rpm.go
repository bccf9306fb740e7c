package upstream

import "strings"

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
