package redact

import "strings"

// Cut returns the part of a canonical URL that may be shown, and the rest. The rest begins with the
// first question mark, plain or percent-encoded any number of times (%3F, %253F, …). It is empty if
// there is none. The URL is shown + hidden.
func Cut(url string) (shown, hidden string) {
	end := len(url)
	if i := strings.IndexByte(url, '?'); i >= 0 {
		end = i
	}
	if i := encoded(url[:end]); i >= 0 {
		end = i
	}
	return url[:end], url[end:]
}

// decoded is a byte of a text that was decoded as often as possible, and the index at which its
// encoding begins.
type decoded struct {
	c  byte
	at int
}

// encoded returns the index of the first encoded question mark, or -1.
func encoded(s string) int {
	if strings.IndexByte(s, '%') < 0 {
		return -1
	}
	// Each escape is replaced by its byte as soon as it is complete, which may complete an earlier
	// one: %25 and 3F are %3F. Only bytes that may begin an escape are kept.
	var array [64]decoded
	tail := array[:0]
	for i := range len(s) {
		if c := s[i]; c != '%' && !isHex(c) {
			tail = tail[:0]
			continue
		}
		tail = append(tail, decoded{s[i], i})
		for n := len(tail); n >= 3 && tail[n-3].c == '%' && isHex(tail[n-2].c) && isHex(tail[n-1].c); n = len(tail) {
			c := value(tail[n-2].c)<<4 | value(tail[n-1].c)
			if c == '?' {
				return tail[n-3].at
			}
			tail[n-3].c = c
			tail = tail[:n-2]
		}
	}
	return -1
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// value returns the value of a hex digit.
func value(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&0x0f + 9
}
