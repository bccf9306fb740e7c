package copyid

import (
	"net/url"
	"strings"
)

// Max is the longest id, in bytes.
const Max = 96

const (
	// maxHost is the longest host in an id, in bytes. Its end tells more.
	maxHost = 40
	// digits is how many hex digits of an object's hash are in its id.
	digits = 16
)

// Sizes of the ids of builds before 2026-11-27, in bytes.
const (
	earlierMax     = 255
	earlierMaxHost = 100
)

// New returns the id of the workflow that copies an object. The URL is as it may be shown, without a
// secret query, and hash is the object's whole hash.
func New(pool, url, hash string) string {
	return form(pool, url, Short(hash), maxHost, Max)
}

// Earlier returns the id that builds before 2026-11-27 gave the workflow.
func Earlier(pool, url, hash string) string {
	return form(pool, url, hash, earlierMaxHost, earlierMax)
}

// Short returns the part of an object's hash that is in ids. A hash that is too short is returned whole.
func Short(hash string) string { return hash[:min(len(hash), digits)] }

// Hash returns the end of an id: the short hash of its object, also if an earlier build made the id.
func Hash(id string) string { return Short(id[strings.LastIndexByte(id, '/')+1:]) }

// Of reports whether this build, or an earlier build, gives the object this id.
func Of(id, pool, url, hash string) bool {
	return id == New(pool, url, hash) || id == Earlier(pool, url, hash)
}

func form(pool, url, hash string, maxHost, maxID int) string {
	host, path := split(url)
	prefix, suffix := pool+"/"+Readable(host, maxHost)+"/", "/"+hash
	return prefix + Readable(path, maxID-len(prefix)-len(suffix)) + suffix
}

func split(raw string) (host, path string) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", ""
	}
	return u.Host, strings.Trim(u.EscapedPath(), "/")
}

// Readable returns the last size bytes of s, where a file's name is. It replaces everything but
// printable ASCII.
func Readable(s string, size int) string {
	if size <= 0 {
		return ""
	}
	if len(s) > size {
		s = s[len(s)-size:]
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
}
