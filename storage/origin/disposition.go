package origin

import (
	"mime"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// disposition returns a Content-Disposition with the same meaning in ASCII, which is all that S3
// stores. A value in ASCII stays as it is. Other values move to extended parameters such as
// filename* (RFC 8187; RFC 6266, section 4.3). Raw bytes are UTF-8 if they are valid UTF-8, and
// Latin-1 otherwise, as browsers read them. A value that does not parse becomes empty.
func disposition(value string) string {
	if !strings.ContainsFunc(value, func(r rune) bool { return r > unicode.MaxASCII }) {
		return value
	}
	if !utf8.ValidString(value) {
		value = fromLatin1(value)
	}
	kind, params, err := mime.ParseMediaType(value)
	if err != nil { // Browsers accept a name without quotes.
		kind, params, err = mime.ParseMediaType(quoted(value))
	}
	if err != nil {
		return ""
	}
	return mime.FormatMediaType(kind, params)
}

// quoted puts each parameter's value in quotes, unless it has quotes.
func quoted(value string) string {
	unquoted := regexp.MustCompile(`=\s*([^";\s](?:[^";]*[^";\s])?)\s*(;|$)`)
	return unquoted.ReplaceAllString(value, `="$1"$2`)
}

// fromLatin1 decodes ISO 8859-1, in which every byte is the code point of a character.
func fromLatin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}
