package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
)

// A ShortLocation is the URL of a [Location] without the text that it shares with other URLs. A
// presigned URL has about 450 bytes, of which only the key, the time, the validity and the signature
// are its own. [ShortLocation.Append] returns the URL, to the byte.
type ShortLocation struct {
	form      *form
	clock     uint32 // The time of day in X-Amz-Date, as the number hhmmss.
	validity  uint32 // X-Amz-Expires, in seconds.
	signature [sha256.Size]byte
}

// form is the text that URLs share: those of one bucket and method, signed with the same
// credentials on the same day. Its strings are the texts between the values of a URL.
type form struct {
	beforeKey, afterKey                   string
	beforeValidity, afterValidity, behind string // Empty in an unsigned URL.
	signed                                bool
	// plain is what Plain returns.
	plain bool
	// whole is set if beforeKey is the whole URL.
	whole bool
}

// recentForms is the number of forms that [Forms] finds again. Two methods have two forms. The
// others are those of the last credentials.
const recentForms = 8

// Forms shortens the URLs of one bucket. It has them share the text that they have in common. The
// zero value is ready. It is safe for concurrent use.
type Forms struct {
	mu     sync.Mutex
	recent []*form
	next   int // The form to be replaced, once there are recentForms.
}

// Shorten returns the short form of the URL from which a client reads the object under key. A URL
// that it can't shorten stays whole: see [ShortLocation.Own].
func (f *Forms) Shorten(url, key string) ShortLocation {
	l, shape := split(url, key)
	l.form = f.share(&shape)
	if l.form.whole || string(l.Append(nil, []byte(key))) == url {
		return l
	}
	return ShortLocation{form: whole(url)}
}

// share returns the kept form that equals shape. Otherwise it keeps a copy of shape, unless shape
// belongs to a single URL.
func (f *Forms) share(shape *form) *form {
	if shape.whole {
		return shape
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, kept := range f.recent {
		if *kept == *shape {
			return kept
		}
	}
	kept := *shape
	// The texts are parts of a URL, which they would keep in memory.
	for _, text := range []*string{&kept.beforeKey, &kept.afterKey, &kept.beforeValidity, &kept.afterValidity, &kept.behind} {
		*text = strings.Clone(*text)
	}
	if len(f.recent) < recentForms {
		f.recent = append(f.recent, &kept)
	} else {
		f.recent[f.next], f.next = &kept, (f.next+1)%recentForms
	}
	return &kept
}

// Parameters of a presigned URL
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html), in their order.
const (
	dateParameter      = "X-Amz-Date="
	day                = "20060102T" // The day of the date is in the credential's scope as well.
	clock              = "150405"
	expiresParameter   = "X-Amz-Expires="
	signatureParameter = "X-Amz-Signature="
)

// split splits a URL into its values and the text around them.
func split(url, key string) (l ShortLocation, f form) {
	var rest string
	var found bool
	if f.beforeKey, rest, found = strings.Cut(url, key); !found || key == "" {
		return l, *whole(url)
	}
	f.plain = plain(url)
	if !strings.Contains(rest, dateParameter) {
		f.afterKey = rest
		return l, f
	}
	var time, validity, signature string
	f.signed = true
	f.afterKey, rest = cutBehind(rest, dateParameter, len(day))
	time, rest = cutAt(rest, len(clock))
	f.beforeValidity, rest = cutBehind(rest, expiresParameter, 0)
	validity, rest = cutAt(rest, len(rest)-len(strings.TrimLeft(rest, "0123456789")))
	f.afterValidity, rest = cutBehind(rest, signatureParameter, 0)
	signature, f.behind = cutAt(rest, hex.EncodedLen(sha256.Size))

	t, timeErr := strconv.ParseUint(time, 10, 32)
	v, validityErr := strconv.ParseUint(validity, 10, 32)
	sum, sumErr := hex.DecodeString(signature)
	if timeErr != nil || validityErr != nil || sumErr != nil || len(sum) != sha256.Size {
		return ShortLocation{}, *whole(url)
	}
	l.clock, l.validity, l.signature = uint32(t), uint32(v), [sha256.Size]byte(sum)
	return l, f
}

// whole is the form of a single URL.
func whole(url string) *form { return &form{beforeKey: url, plain: plain(url), whole: true} }

// cutBehind cuts s behind a text and the n bytes after it. It cuts at the start if s has no such
// text.
func cutBehind(s, text string, n int) (before, after string) {
	i := strings.Index(s, text)
	if i < 0 {
		return "", s
	}
	return cutAt(s, i+len(text)+n)
}

// cutAt cuts s after n bytes, or at its end.
func cutAt(s string, n int) (before, after string) {
	n = min(n, len(s))
	return s[:n], s[n:]
}

// Append appends the URL of the object under key to dst. It allocates nothing if dst has the room.
func (l *ShortLocation) Append(dst, key []byte) []byte {
	f := l.form
	dst = append(dst, f.beforeKey...)
	if f.whole {
		return dst
	}
	dst = append(append(dst, key...), f.afterKey...)
	if !f.signed {
		return dst
	}
	for unit := uint32(100_000); unit > 0; unit /= 10 {
		dst = append(dst, '0'+byte(l.clock/unit%10))
	}
	dst = append(dst, f.beforeValidity...)
	dst = strconv.AppendUint(dst, uint64(l.validity), 10)
	dst = append(dst, f.afterValidity...)
	dst = hex.AppendEncode(dst, l.signature[:])
	return append(dst, f.behind...)
}

// Plain reports whether the URL has only printable ASCII without spaces, quotes and backslashes.
// Such a URL is the same text in JSON.
func (l *ShortLocation) Plain() bool { return l.form.plain }

// Own returns the bytes of text that the location shares with no other: none unless the URL stays
// whole.
func (l *ShortLocation) Own() int {
	if l.form.whole {
		return formBytes + len(l.form.beforeKey)
	}
	return 0
}

// formBytes is the size of a form without its texts.
const formBytes = 96

func plain(url string) bool {
	for i := range len(url) {
		if c := url[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
