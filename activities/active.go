package activities

import (
	"mime"
	"strings"
)

// attachment returns the Content-Disposition of a copy that browsers must download and not render.
// Everything after the type, such as a file name, stays.
func attachment(disposition string) string {
	kind, rest, _ := strings.Cut(disposition, ";")
	kind, rest = strings.TrimSpace(kind), strings.TrimSpace(rest)
	switch {
	case strings.EqualFold(kind, "attachment"):
		return disposition
	case strings.Contains(kind, "="): // The type is missing.
		return "attachment; " + strings.TrimSpace(disposition)
	case rest == "":
		return "attachment"
	}
	return "attachment; " + rest
}

// active reports whether a browser may run scripts in a document of this type, or may take it for
// such a document. A type that does not parse is active: browsers parse it by other rules
// (https://mimesniff.spec.whatwg.org/).
func active(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || strings.Contains(contentType, ",") { // Browsers take the last one of a list.
		return true
	}
	major, minor, ok := strings.Cut(kind, "/")
	switch {
	case !ok, minor == "", strings.ContainsRune(kind, '*'):
		return true
	case major == "multipart", // such as multipart/x-mixed-replace, which may hold HTML
		strings.HasSuffix(minor, "+xml"), minor == "xml", strings.HasPrefix(minor, "xml-"):
		return true
	}
	return activeTypes[kind] || activeTypes[strings.ReplaceAll(kind, "/x-", "/")]
}

// activeTypes are the types of documents with scripts, of scripts
// (https://mimesniff.spec.whatwg.org/#javascript-mime-type), and of documents that browsers sniff. Of
// each type, the form without x- counts for both.
var activeTypes = map[string]bool{ //nolint:gochecknoglobals // a constant
	"text/html": true, "text/xsl": true, "message/rfc822": true, "application/shockwave-flash": true,
	"application/unknown": true, "unknown/unknown": true, "application/xhtml": true,

	"application/ecmascript": true, "application/javascript": true, "text/ecmascript": true, "text/javascript": true,
	"text/javascript1.0": true, "text/javascript1.1": true, "text/javascript1.2": true, "text/javascript1.3": true,
	"text/javascript1.4": true, "text/javascript1.5": true, "text/jscript": true, "text/livescript": true,
}
