package activities

import (
	"net/http"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// The results of an audit.
const (
	AuditSame      = "same"      // The source still has the object of the copy
	AuditDifferent = "different" // The source has another object under the same URL
	AuditGone      = "gone"      // The source answers 404 or 410
	AuditUnknown   = "unknown"   // The source's answer does not tell
)

// AuditResults returns all results of an audit.
func AuditResults() []string { return []string{AuditSame, AuditDifferent, AuditGone, AuditUnknown} }

// facts tell two versions of an object apart.
type facts struct {
	size     int64  // Bytes; -1 is unknown.
	etag     string // As sent; empty is unknown.
	modified string // Last-Modified, as sent; empty is unknown.
	encoding string // Content-Encoding.
}

// factsOfCopy returns the facts of the response that a copy was made from. The copy's own size
// counts, since the source may not have declared one.
func factsOfCopy(s storage.Stored, metadata map[string]string) facts {
	return facts{
		size: s.Size, etag: metadata[metadataETag], modified: metadata[metadataModified], encoding: s.Headers.ContentEncoding,
	}
}

// factsOfSource returns the facts of a response, in the form of a copy's metadata.
func factsOfSource(m origin.Meta) facts {
	return facts{
		size: m.Size, etag: cut(printable(m.ETag), maxValue), modified: date(m.LastModified), encoding: header(m.ContentEncoding),
	}
}

// compare returns whether two responses are of the same object. The first matching row decides:
//
//	encoding  ETags                     length  Last-Modified  result
//	differ    any                       any     any            unknown
//	equal     strong and equal          differ  any            unknown
//	equal     strong and equal          else    any            same
//	equal     strong and different      any     any            different
//	equal     else                      a gap   any            unknown
//	equal     else                      differ  any            different
//	equal     else                      equal   equal          same
//	equal     else                      equal   later now      different
//	equal     else                      equal   earlier now    unknown
//	equal     equal but weak            equal   a gap          same
//	equal     else                      equal   a gap          unknown
//
// The reasons, row by row:
//   - Another content coding is another representation. Its validators and its length say nothing
//     about this one (RFC 9110, section 8.8.3.3).
//   - A strong ETag promises equal bytes (RFC 9110, section 8.8.1). With two lengths it is broken,
//     and proves nothing.
//   - A source gives a new strong ETag to every change. A farm of servers may also give one file
//     two of them. That is reported, since only its operator can tell.
//   - Without a length on both sides, dates and weak ETags could come from any server in between.
//   - Two lengths can't be one object.
//   - A file that was written later is another version. A file that was written earlier comes from
//     another server of a farm, or from a backup.
//   - A weak ETag promises equal meaning. With an equal length, the bytes are taken as equal.
func compare(before, now facts) string {
	tags, known := compareTags(before.etag, now.etag)
	sized := before.size >= 0 && now.size >= 0
	switch {
	case !strings.EqualFold(before.encoding, now.encoding):
		return AuditUnknown
	case known && tags == equalStrong && sized && before.size != now.size:
		return AuditUnknown
	case known && tags == equalStrong:
		return AuditSame
	case known && tags == differentStrong:
		return AuditDifferent
	case !sized:
		return AuditUnknown
	case before.size != now.size:
		return AuditDifferent
	}
	then, err1 := http.ParseTime(before.modified)
	later, err2 := http.ParseTime(now.modified)
	switch {
	case err1 == nil && err2 == nil:
		return compareTimes(then, later)
	case known && tags == equalWeak:
		return AuditSame
	}
	return AuditUnknown
}

// compareTimes judges the Last-Modified of two responses of equal length.
func compareTimes(before, now time.Time) string {
	switch now.Compare(before) {
	case 0:
		return AuditSame
	case 1:
		return AuditDifferent
	}
	return AuditUnknown
}

// tagsResult is the result of a comparison of two ETags.
type tagsResult int

const (
	differentWeak tagsResult = iota // One of them is weak, and they differ.
	equalWeak                       // One of them is weak, and they are equal otherwise.
	differentStrong
	equalStrong
)

// compareTags compares two ETags (RFC 9110, section 8.8.3.2). It is not known if one of them is
// missing or has no quotes.
func compareTags(a, b string) (r tagsResult, known bool) {
	first, weakFirst := strings.CutPrefix(a, "W/")
	second, weakSecond := strings.CutPrefix(b, "W/")
	strong := !weakFirst && !weakSecond
	if !quoted(first) || !quoted(second) {
		return 0, false
	}
	switch {
	case strong && first == second:
		return equalStrong, true
	case strong:
		return differentStrong, true
	case first == second:
		return equalWeak, true
	}
	return differentWeak, true
}

func quoted(s string) bool { return len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' }
