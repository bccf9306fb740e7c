package origin

import (
	"maps"
	"mime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDisposition(t *testing.T) {
	const nameOf = "filename"
	for _, tt := range []struct {
		name, value string
		want        string            // "" is a value that is dropped
		params      map[string]string // The parameters of want
	}{
		{"nothing", "", "", nil},
		{
			"raw utf-8", `attachment; filename="Füße €.txt"`,
			`attachment; filename*=utf-8''F%C3%BC%C3%9Fe%20%E2%82%AC.txt`, map[string]string{nameOf: "Füße €.txt"},
		},
		{
			"latin-1", "attachment; filename=\"F\xfc\xdfe.txt\"",
			`attachment; filename*=utf-8''F%C3%BC%C3%9Fe.txt`, map[string]string{nameOf: "Füße.txt"},
		},
		{
			"utf-8 beside a byte that is not", "inline; filename=\"é\xff\"",
			`inline; filename*=utf-8''%C3%83%C2%A9%C3%BF`, map[string]string{nameOf: "Ã©ÿ"},
		},
		{
			"rfc 8187 already", `attachment; filename*=UTF-8'en'F%c3%bc%C3%9Fe.txt`,
			`attachment; filename*=UTF-8'en'F%c3%bc%C3%9Fe.txt`, map[string]string{nameOf: "Füße.txt"},
		},
		{
			"both parameters, in ascii", `attachment; filename="Fuesse.txt"; filename*=UTF-8''F%C3%BC%C3%9Fe.txt`,
			`attachment; filename="Fuesse.txt"; filename*=UTF-8''F%C3%BC%C3%9Fe.txt`, map[string]string{nameOf: "Füße.txt"},
		},
		{
			"both parameters, one raw", `attachment; filename="ü?.txt"; filename*=UTF-8''F%C3%BC%C3%9Fe.txt`,
			`attachment; filename*=utf-8''F%C3%BC%C3%9Fe.txt`, map[string]string{nameOf: "Füße.txt"},
		},
		{
			"both parameters, one raw, in the other order", `attachment; filename*=UTF-8''F%C3%BC%C3%9Fe.txt; filename="ü?.txt"`,
			`attachment; filename*=utf-8''F%C3%BC%C3%9Fe.txt`, map[string]string{nameOf: "Füße.txt"},
		},
		{
			"quoted pairs", `attachment; filename="a\"é\\b.txt"`,
			`attachment; filename*=utf-8''a%22%C3%A9%5Cb.txt`, map[string]string{nameOf: `a"é\b.txt`},
		},
		{
			"a path with backslashes", `attachment; filename="C:\dir\é.txt"`,
			`attachment; filename*=utf-8''C%3A%5Cdir%5C%C3%A9.txt`, map[string]string{nameOf: `C:\dir\é.txt`},
		},
		{
			"a raw name that looks encoded", `attachment; filename="é%20''.txt"`,
			`attachment; filename*=utf-8''%C3%A9%2520%27%27.txt`, map[string]string{nameOf: "é%20''.txt"},
		},
		{
			"control characters beside utf-8", "attachment; filename=\"é\x01\x7f\"",
			`attachment; filename*=utf-8''%C3%A9%01%7F`, map[string]string{nameOf: "é\x01\x7f"},
		},
		{"control characters alone", "attachment; filename=\"a\x01\"", "", nil},
		{
			"other parameters", `Attachment; Size=7; Name="a b"; filename="é"`,
			`attachment; filename*=utf-8''%C3%A9; name="a b"; size=7`,
			map[string]string{nameOf: "é", "name": "a b", "size": "7"},
		},
		{
			"no filename", `attachment; comment="é"`,
			`attachment; comment*=utf-8''%C3%A9`, map[string]string{"comment": "é"},
		},
		{
			"ascii, byte for byte", `ATTACHMENT;filename = a"b ;;; x=%zz\`,
			`ATTACHMENT;filename = a"b ;;; x=%zz\`, nil,
		},
		{
			"raw bytes outside quotes", `attachment; filename=é b.txt`, `attachment; filename*=utf-8''%C3%A9%20b.txt`,
			map[string]string{"filename": "é b.txt"},
		},
		{
			"raw bytes outside quotes, before another parameter", "attachment; filename= \xe9.txt ; size=1",
			`attachment; filename*=utf-8''%C3%A9.txt; size=1`, map[string]string{"filename": "é.txt", "size": "1"},
		},
		{"no type", `filename="é"`, "", nil},
		{"an open quote", `attachment; filename="é`, "", nil},
		{"two names", `attachment; filename="é"; filename="è"`, "", nil},
		{
			"1 KiB once encoded", `a; filename="` + strings.Repeat("é", 167) + `"`,
			`a; filename*=utf-8''` + strings.Repeat("%C3%A9", 167), map[string]string{nameOf: strings.Repeat("é", 167)},
		},
		{"more than 1 KiB once encoded", `a; filename="` + strings.Repeat("é", 168) + `"`, "", nil},
		{"very long", `attachment; filename="` + strings.Repeat("é", 10_000) + `"`, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := bounded(disposition(tt.value))
			require.Equal(t, tt.want, got)
			if tt.params == nil {
				return
			}
			assert.False(t, strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }), "printable ascii")
			_, params, err := mime.ParseMediaType(got)
			require.NoError(t, err)
			assert.Equal(t, tt.params, params)
		})
	}
}

func FuzzDisposition(f *testing.F) {
	f.Add(`attachment; filename="é"`)
	f.Add("attachment; filename=\"\xe9\"; filename*=UTF-8''%C3%A9")
	f.Add("attachment; filename=é.txt")
	f.Add("inline; filename*0=\"é\"; filename*1*=%20")
	f.Fuzz(func(t *testing.T, value string) {
		got := disposition(value)
		if !strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII }) {
			if got != value {
				t.Fatalf("%q in ascii becomes %q", value, got)
			}
			return
		}
		if strings.ContainsFunc(got, func(r rune) bool { return r > unicode.MaxASCII }) {
			t.Fatalf("%q is not ascii", got)
		}
		if got == "" || !utf8.ValidString(value) {
			return
		}
		kind, params, err := mime.ParseMediaType(value)
		if err != nil {
			kind, params, err = mime.ParseMediaType(quoted(value))
		}
		if err != nil {
			t.Fatalf("%q does not parse, but becomes %q", value, got)
		}
		gotKind, gotParams, err := mime.ParseMediaType(got)
		if err != nil || gotKind != kind || !maps.Equal(gotParams, params) {
			t.Fatalf("%q becomes %q: %v, not %v: %v", value, got, gotParams, params, err)
		}
	})
}
