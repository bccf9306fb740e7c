package origin

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

// Digest is a checksum of an object as it is sent, its Content-Encoding included (RFC 9530, section
// 3; RFC 3230, section 4.1.1). Nothing decodes the object on its way, so this is the checksum of
// the stored bytes as well.
type Digest struct {
	// Algorithm is "sha-512", "sha-256", "sha" (which is SHA-1) or "md5": the names of IANA's
	// registry of hash algorithms for HTTP digest fields, in lower case.
	Algorithm string `json:"algorithm"`
	// Value is the checksum itself, neither hex nor base64.
	Value []byte `json:"value"`
}

// SHA256 is the name of SHA-256 in a [Digest].
const SHA256 = "sha-256"

// digestsOf returns the digests of the whole object in the 200 to a plain GET, at most one per
// algorithm, the strongest first. In a 200 they describe the object in each of their headers:
// Repr-Digest and Content-Digest (RFC 9530), Digest (RFC 3230) and Content-MD5 (RFC 1864).
//
// Unknown algorithms and malformed values are ignored: they promise nothing. Two different values
// for one algorithm are an *Error of ClassUnverifiable.
func digestsOf(resp *http.Response) ([]Digest, error) {
	h := resp.Header
	sent := parseDigests(h.Values("Repr-Digest"), ":")
	for _, value := range members(h.Values("Content-MD5")) {
		sent = appendDigest(sent, "md5", value)
	}
	sent = append(sent, parseDigests(h.Values("Digest"), "")...)
	sent = append(sent, parseDigests(h.Values("Content-Digest"), ":")...)
	return distinct(resp.Request.URL.Host, sent)
}

// parseDigests parses lists of algorithm=base64. With an empty quote, they are the instance digests
// of RFC 3230. With ":" as quote, they are the dictionary of byte sequences of RFC 9530 (RFC 9651,
// sections 3.2 and 3.3.5). Parameters are ignored.
func parseDigests(lines []string, quote string) []Digest {
	var sent []Digest
	for _, member := range members(lines) {
		algorithm, value, _ := strings.Cut(member, "=")
		value, _, _ = strings.Cut(value, ";")
		value, opened := strings.CutPrefix(value, quote)
		value, closed := strings.CutSuffix(value, quote)
		if opened && closed {
			sent = appendDigest(sent, lowerASCII(algorithm), value)
		}
	}
	return sent
}

// members splits the lines of a list header (RFC 9110, section 5.6.1).
func members(lines []string) []string {
	list := strings.Split(strings.Join(lines, ","), ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// appendDigest skips a value that is not base64, or not of its algorithm's length.
func appendDigest(sent []Digest, algorithm, encoded string) []Digest {
	value, err := base64.StdEncoding.DecodeString(encoded)
	if h := newHash(algorithm); err != nil || h == nil || len(value) != h.Size() {
		return sent
	}
	return append(sent, Digest{Algorithm: algorithm, Value: value})
}

// distinct sorts the digests, the strongest first, and drops repetitions. It refuses two different
// values for one algorithm.
func distinct(host string, sent []Digest) ([]Digest, error) {
	for i, d := range sent {
		if contradicts(sent[:i], d) {
			return nil, unverifiable(host, "it sends two different "+d.Algorithm+" digests")
		}
	}
	// The names happen to sort from the weakest to the strongest.
	slices.SortFunc(sent, func(a, b Digest) int { return strings.Compare(b.Algorithm, a.Algorithm) })
	return slices.CompactFunc(sent, func(a, b Digest) bool { return a.Algorithm == b.Algorithm }), nil
}

// contradicts reports whether one of the digests has another value than d for the same algorithm.
func contradicts(digests []Digest, d Digest) bool {
	return slices.ContainsFunc(digests, func(o Digest) bool {
		return o.Algorithm == d.Algorithm && !bytes.Equal(o.Value, d.Value)
	})
}
