package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path"
	"strings"
)

// Object names one copy: a source URL in one service and region. Two objects are the same copy exactly if all three
// fields are equal, so URL must be canonical (origin.Canonical makes it so).
type Object struct {
	Service string
	Region  string
	URL     string
}

// PoolID is the pool that the object's copy belongs to, e.g. s3_us-west-2.
func (o Object) PoolID() string { return PoolID(o.Service, o.Region) }

// Hash is the hex SHA-256 of the URL, query included: it names the object where the URL itself can't stand.
func (o Object) Hash() string {
	sum := sha256.Sum256([]byte(o.URL))
	return hex.EncodeToString(sum[:])
}

// Host is the source's host, without port, for keys, labels and logs.
func (o Object) Host() string {
	u, err := url.Parse(o.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Key is where the copy stands in the bucket: <host>/<hash>/<tail of the file name>.
//
// Always three segments, so no key is another's folder; each segment is 1 to 255 bytes of [A-Za-z0-9._-] and no dot
// segment, so servers that keep objects as files, fold paths or refuse "//" store it as it is; and the hash makes it
// injective in the URL. Only the last path element shows, for people who browse the bucket.
func (o Object) Key() string {
	return safeSegment(o.Host(), "_") + "/" + o.Hash() + "/" + safeSegment(o.fileName(), "object")
}

func (o Object) fileName() string {
	rest, _, _ := strings.Cut(o.URL, "?")
	_, rest, _ = strings.Cut(rest, "://")
	_, p, found := strings.Cut(rest, "/")
	if !found || p == "" || strings.HasSuffix(p, "/") {
		return ""
	}
	return path.Base("/" + p)
}

// maxSegment keeps a segment well below the 255 bytes of a file name, which posix-backed servers decorate.
const maxSegment = 200

// safeSegment keeps the end of s, since that is where a file name's extension is.
func safeSegment(s, empty string) string {
	if len(s) > maxSegment {
		s = s[len(s)-maxSegment:]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '_'
	}, s)
	if strings.Trim(s, ".") == "" {
		return empty
	}
	return s
}
