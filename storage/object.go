package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path"
	"strings"

	"github.com/cloud-mirror/cloud-mirror/storage/redact"
)

// Object identifies one copy: a source URL in one service and region. Two objects are the same copy
// exactly if all three fields are equal, so URL must be canonical (see origin.Canonical).
type Object struct {
	Service string
	Region  string
	URL     string
}

// PoolID returns the pool of the object's copy, e.g. s3_us-west-2.
func (o Object) PoolID() string { return PoolID(o.Service, o.Region) }

// Hash returns the hex SHA-256 of the URL, query included. It identifies the object in places that
// can't hold a URL.
func (o Object) Hash() string {
	sum := sha256.Sum256([]byte(o.URL))
	return hex.EncodeToString(sum[:])
}

// Host returns the source's host without port, for keys, labels and logs. It is empty if the URL
// does not parse.
func (o Object) Host() string {
	u, err := url.Parse(o.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Key returns the key of the copy in the bucket: <host>/<hash>/<tail of the file name>.
//
//   - A key always has three segments, so no key is another's folder.
//   - Each segment is 1 to 255 bytes of [A-Za-z0-9._-] and no dot segment. Servers that keep
//     objects as files, fold paths or refuse "//" therefore store the key unchanged.
//   - The hash makes the key injective in the URL.
//   - Only the last path element of the URL is readable, for people who browse the bucket. It never
//     has a part that may not be shown.
func (o Object) Key() string {
	return safeSegment(o.Host(), "_") + "/" + o.Hash() + "/" + safeSegment(o.fileName(), "object")
}

// Shown returns the part of the URL that may be shown. It ends before the query, and before the
// query of a URL in its path.
func (o Object) Shown() string {
	shown, _ := redact.Cut(o.URL)
	return shown
}

func (o Object) fileName() string {
	_, rest, _ := strings.Cut(o.Shown(), "://")
	_, p, found := strings.Cut(rest, "/")
	if !found || p == "" || strings.HasSuffix(p, "/") {
		return ""
	}
	return path.Base("/" + p)
}

// maxSegment is the limit of a segment, in bytes. It is well below the 255 bytes of a file name,
// because posix-backed servers add to the name.
const maxSegment = 200

// safeSegment returns s with every unsafe character replaced, or empty if nothing but dots is left.
// It keeps the end of a long s, which holds a file name's extension.
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
