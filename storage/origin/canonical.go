package origin

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"github.com/cloud-mirror/cloud-mirror/storage/paths"
)

const (
	// maxURL is the longest URL accepted, in bytes, before and after canonicalisation. Common
	// servers accept as much (RFC 9110, section 4.1, recommends at least 8,000).
	maxURL = 8 << 10
	// maxHost is the longest host name without a trailing dot, in bytes (RFC 1035, section 2.3.4,
	// less the length octets). maxLabel is the longest label.
	maxHost  = 253
	maxLabel = 63
)

// ErrBareEscape marks the error of a URL that has a % without two hex digits in its path. The URL
// is not forbidden: browsers and curl send it as it is.
var ErrBareEscape = errors.New("bare % in a url")

// ErrBadName marks the error of a URL with a host that can't be a DNS name (RFC 1035, section
// 2.3.4). It has an empty label, a label above 63 bytes, or more than 253 bytes. No list of sources
// can allow it.
var ErrBadName = errors.New("host that is no dns name")

// Canonical parses and normalises the URL of a source, so that all spellings of one request are one
// string and different requests are different strings:
//
//   - Scheme and host are lower case. A trailing dot of the host is dropped. An IPv6 address is in
//     its RFC 5952 form.
//   - An empty or default port is dropped, and so is the fragment. An empty path is "/".
//   - Path and query are kept byte for byte, except for the bytes which no URI may contain (RFC
//     3986: space and " < > \ ^ ` { | } and everything outside ASCII). These are percent-encoded,
//     as every client sends them. Otherwise net/url would decode and re-encode such a path on the
//     way out, and %2F in it would become "/".
//
// It refuses, with an *Error of ClassInvalidURL:
//
//   - Schemes other than http and https, userinfo, and control characters.
//   - An empty host, and host names with anything but letters, digits, '.', '_' and '-'.
//   - Host names that are no DNS names ([ErrBadName]).
//   - IPv6 addresses with a zone (http://[::1%25x.allowed.example]/ passes allow lists).
//   - Ports outside 1…65535.
//   - A % without two hex digits in the path ([ErrBareEscape]). In a query it is kept: nothing
//     decodes it.
//   - URLs above 8 KiB.
//
// It is idempotent, and net/http sends exactly the bytes that it returns.
func Canonical(raw string) (string, error) {
	if len(raw) > maxURL {
		return "", invalidURL("url is longer than %d bytes", maxURL)
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", invalidURL("url holds a control character")
	}
	raw, _, _ = strings.Cut(raw, "#")

	scheme, rest, ok := strings.Cut(raw, "://")
	scheme = lowerASCII(scheme)
	if !ok || scheme != "http" && scheme != "https" {
		return "", invalidURL("url is not an absolute http or https url")
	}
	authority, target := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, target = rest[:i], rest[i:]
	}
	authority, err := canonicalAuthority(scheme, authority)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	if path, _, _ := strings.Cut(target, "?"); !paths.ValidEscapes(path) {
		bare := invalidURL("url has a %% without two hex digits in its path: write %%25 for it")
		bare.cause = ErrBareEscape
		return "", bare
	}
	canonical := scheme + "://" + authority + encodeIllegal(target)
	if len(canonical) > maxURL {
		return "", invalidURL("url is longer than %d bytes", maxURL)
	}
	return canonical, nil
}

// canonicalAuthority normalises the authority, the text between "://" and the path.
func canonicalAuthority(scheme, authority string) (string, error) {
	if strings.Contains(authority, "@") {
		return "", invalidURL("url holds a user name or password")
	}
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		host, port = authority[:i], authority[i+1:]
	}
	host, err := canonicalHost(host)
	if err != nil {
		return "", err
	}
	if port == "" { // RFC 3986, section 6.2.3: an empty port is the default one
		return host, nil
	}
	number, parseErr := strconv.ParseUint(port, 10, 16) // accepts neither signs nor, in base 10, underscores
	if parseErr != nil || number == 0 {
		return "", invalidURL("url has a port outside 1..65535")
	}
	if scheme == "http" && number == 80 || scheme == "https" && number == 443 {
		return host, nil
	}
	return host + ":" + strconv.FormatUint(number, 10), nil
}

func canonicalHost(host string) (string, error) {
	if bracketed, ok := strings.CutPrefix(host, "["); ok {
		literal, closed := strings.CutSuffix(bracketed, "]")
		addr, err := netip.ParseAddr(literal)
		if !closed || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", invalidURL("url has an ipv6 address that is not valid")
		}
		return "[" + addr.String() + "]", nil
	}
	host = lowerASCII(host)
	if host == "" {
		return "", invalidURL("url has no host")
	}
	if strings.ContainsFunc(host, notInHost) {
		return "", invalidURL("url has a host that is not valid")
	}
	host = strings.TrimSuffix(host, ".")
	if len(host) > maxHost {
		return "", badName("url has a host of more than %d bytes", maxHost)
	}
	for label := range strings.SplitSeq(host, ".") {
		switch {
		case label == "":
			return "", badName("url has a host with an empty label")
		case len(label) > maxLabel:
			return "", badName("url has a host with a label of more than %d bytes", maxLabel)
		}
	}
	return host, nil
}

func badName(format string, args ...any) error {
	bad := invalidURL(format, args...)
	bad.cause = ErrBadName
	return bad
}

func notInHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}

// lowerASCII leaves everything outside ASCII alone. strings.ToLower maps U+212A, the Kelvin sign,
// to "k", and would turn a foreign host into an allowed host.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// encodeIllegal percent-encodes the bytes that no URI may contain. It leaves every other byte, '%'
// included, as it is.
func encodeIllegal(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
