package activities

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

const (
	noon    = "Sun, 22 Nov 2026 12:00:00 GMT"
	later   = "Sun, 22 Nov 2026 12:00:01 GMT"
	earlier = "Sun, 22 Nov 2026 11:59:59 GMT"
)

// TestCompare has a case for each row of the table of compare, and for each way to miss a fact.
func TestCompare(t *testing.T) {
	strong := facts{size: 10, etag: `"a"`, modified: noon}
	weak := facts{size: 10, etag: `W/"a"`, modified: noon}
	bare := facts{size: 10, modified: noon}
	undated := facts{size: 10, etag: `W/"a"`}
	with := func(f facts, edit func(*facts)) facts {
		edit(&f)
		return f
	}
	size := func(n int64) func(*facts) { return func(f *facts) { f.size = n } }
	etag := func(s string) func(*facts) { return func(f *facts) { f.etag = s } }
	modified := func(s string) func(*facts) { return func(f *facts) { f.modified = s } }
	encoding := func(s string) func(*facts) { return func(f *facts) { f.encoding = s } }
	for name, tc := range map[string]struct {
		before, now facts
		want        string
	}{
		"another coding":                         {strong, with(strong, encoding("gzip")), AuditUnknown},
		"another coding, another strong ETag":    {strong, with(with(strong, etag(`"b"`)), encoding("gzip")), AuditUnknown},
		"another coding, another length":         {bare, with(with(bare, size(5)), encoding("gzip")), AuditUnknown},
		"a lost coding":                          {with(strong, encoding("gzip")), strong, AuditUnknown},
		"the same coding, in capitals":           {with(strong, encoding("gzip")), with(strong, encoding("GZIP")), AuditSame},
		"a strong ETag":                          {strong, strong, AuditSame},
		"a strong ETag, another date":            {strong, with(strong, modified(later)), AuditSame},
		"a strong ETag, no length":               {strong, with(strong, size(-1)), AuditSame},
		"a strong ETag, another length":          {strong, with(strong, size(11)), AuditUnknown},
		"another strong ETag":                    {strong, with(strong, etag(`"b"`)), AuditDifferent},
		"another strong ETag, no length":         {strong, with(with(strong, etag(`"b"`)), size(-1)), AuditDifferent},
		"another strong ETag, another length":    {strong, with(with(strong, etag(`"b"`)), size(11)), AuditDifferent},
		"no length now":                          {bare, with(bare, size(-1)), AuditUnknown},
		"no length now, a weak ETag":             {weak, with(weak, size(-1)), AuditUnknown},
		"another length":                         {bare, with(bare, size(11)), AuditDifferent},
		"length 0":                               {bare, with(bare, size(0)), AuditDifferent},
		"another length, a weak ETag":            {weak, with(weak, size(11)), AuditDifferent},
		"length and date":                        {bare, bare, AuditSame},
		"length and date, an ETag on one side":   {strong, bare, AuditSame},
		"length and date, another weak ETag":     {weak, with(weak, etag(`W/"b"`)), AuditSame},
		"length, a later date":                   {bare, with(bare, modified(later)), AuditDifferent},
		"length, a later date, a weak ETag":      {weak, with(weak, modified(later)), AuditDifferent},
		"length, an earlier date":                {bare, with(bare, modified(earlier)), AuditUnknown},
		"length, a weak ETag, no date":           {undated, undated, AuditSame},
		"length, an ETag that became weak":       {with(undated, etag(`"a"`)), undated, AuditSame},
		"length, another weak ETag, no date":     {undated, with(undated, etag(`W/"b"`)), AuditUnknown},
		"length, a date on one side":             {with(bare, modified("")), bare, AuditUnknown},
		"length, a date that is none":            {with(bare, modified("yesterday")), bare, AuditUnknown},
		"only a length":                          {facts{size: 10}, facts{size: 10}, AuditUnknown},
		"nothing":                                {facts{size: 10}, facts{size: -1}, AuditUnknown},
		"an ETag without quotes is none":         {with(strong, etag("a")), with(strong, etag("b")), AuditSame},
		"an ETag of one quote is none":           {with(strong, etag(`"`)), with(strong, etag(`"b"`)), AuditSame},
		"a date in another format, the same day": {bare, with(bare, modified("Sunday, 22-Nov-26 12:00:00 GMT")), AuditSame},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, compare(tc.before, tc.now)) })
	}
}

// TestUnchangedSourceComparesAsSame passes the facts of a response through the metadata of a copy,
// as StreamCopy does, for values that metadata can't hold unchanged.
func TestUnchangedSourceComparesAsSame(t *testing.T) {
	for _, m := range []origin.Meta{
		{Size: 5, ETag: `"1"`}, {Size: -1, ETag: `"1"`}, {Size: 5, LastModified: noon}, {Size: 5, ETag: `W/"1"`},
		{Size: 5, ETag: `"` + strings.Repeat("x", 500) + `"`, LastModified: noon}, {Size: 5, LastModified: noon, ETag: `"\u00e9"`},
		{Size: 5, ETag: `"1"`, ContentEncoding: "gzip"},
	} {
		stored := storage.Stored{Size: 5, Headers: storage.Headers{ContentEncoding: header(m.ContentEncoding)}}
		before := factsOfCopy(stored, metadata(StreamCopyInput{}, m, "id", time.Now()))
		require.Equal(t, AuditSame, compare(before, factsOfSource(m)), "%+v", m)
	}
}
