package upstream

import (
	"strconv"
	"strings"
)

// maxHost is the longest host name, in bytes (RFC 1035, section 2.3.4, less the length octets).
const maxHost = 253

// maxLabel is the longest label of a host name, in bytes (RFC 1035, section 2.3.4).
const maxLabel = 63

// parseRoot parses the URL of an upstream. The text is that of a fault, or empty.
func parseRoot(raw string) (e *entry, text string) {
	scheme, rest, _ := strings.Cut(raw, "://")
	e = &entry{}
	switch lowerASCII(scheme) {
	case "https":
	case "http":
		e.host.http = true
	default:
		return nil, "does not begin with https://"
	}
	switch {
	case strings.ContainsAny(rest, "?#"):
		return nil, "has a query or a fragment"
	case !isPrintable(rest) || strings.ContainsAny(rest, "\"<>\\^`{|}") || strings.ContainsFunc(rest, func(r rune) bool { return r > '~' }):
		return nil, "has a character that no URL may contain"
	}
	authority, path, _ := strings.Cut(rest, "/")
	if strings.Contains(authority, "@") {
		return nil, "has a user name or a password"
	}
	name, port, hasPort := strings.Cut(authority, ":")
	name = lowerASCII(name)
	if strings.HasPrefix(name, "[") || isIPv4(name) {
		return nil, "has an IP address instead of a host name"
	}
	if !isHost(name) {
		return nil, "has a host that is not valid"
	}
	if hasPort {
		number, err := strconv.ParseUint(port, 10, 16) // Accepts neither signs nor underscores.
		if err != nil || number == 0 {
			return nil, "has a port outside 1..65535"
		}
		name = trimDefaultPort(name+":"+strconv.FormatUint(number, 10), e.host.http)
	}
	e.host.name, e.path = name, "/"+path
	if !strings.HasSuffix(e.path, "/") {
		e.path += "/"
	}
	if faults(e.path) != 0 {
		return nil, "has a path with dot segments, empty segments, or escapes that servers read differently"
	}
	e.Root = "https://" + name + e.path
	if e.host.http {
		e.Root = "http://" + name + e.path
	}
	return e, ""
}

// trimDefaultPort removes the default port of the scheme.
func trimDefaultPort(authority string, http bool) string {
	if http {
		return strings.TrimSuffix(authority, ":80")
	}
	return strings.TrimSuffix(authority, ":443")
}

// trimDot removes the trailing dot of a host with or without a port.
func trimDot(authority string) string {
	name, port, hasPort := strings.Cut(authority, ":")
	short, dotted := strings.CutSuffix(name, ".")
	switch {
	case !dotted:
		return authority
	case hasPort:
		return short + ":" + port
	}
	return short
}

// isHost reports whether s is the name of a host, in lower case and without a final dot.
func isHost(s string) bool {
	if s == "" || len(s) > maxHost {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > maxLabel || !isEscaped(label, "_-") || strings.Contains(label, "!") {
			return false
		}
	}
	return true
}

// isIPv4 reports whether URL parsers read a host as an IPv4 address, in any of its forms (127.1,
// 2130706433, 0x7f.1, 0177.0.0.1). They do if its last label is a number, see
// https://url.spec.whatwg.org/#ends-in-a-number-checker.
func isIPv4(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return isHex(hex, len(hex))
	}
	return isNumber(last)
}
