package upstream

import "strings"

// maxParam is longer than every name of a parameter in the list below.
const maxParam = 64

// signed reports whether a query grants access, by the names of its parameters. Such a query is a
// secret, and the object may be private. Names are compared decoded and without regard to case, and
// split at & and ;.
func signed(query string) bool {
	var buf [maxParam]byte
	for query != "" {
		param := query
		if i := strings.IndexAny(query, "&;"); i >= 0 {
			param, query = query[:i], query[i+1:]
		} else {
			query = ""
		}
		if i := strings.IndexByte(param, '='); i >= 0 {
			param = param[:i]
		}
		name, fits := decodeName(&buf, param)
		if !fits || isSecret(name) {
			return true
		}
	}
	return false
}

// decodeName decodes the name of a parameter, in lower case. It fails if the name is too long to be
// compared.
func decodeName(buf *[maxParam]byte, raw string) (name []byte, fits bool) {
	n := 0
	for i := 0; i < len(raw); i++ {
		if n == len(buf) {
			return nil, false
		}
		c := raw[i]
		if c == '%' && i+2 < len(raw) {
			if decoded, ok := unhex(raw[i+1], raw[i+2]); ok {
				c, i = decoded, i+2
			}
		}
		if isUpper(c) {
			c += 'a' - 'A'
		}
		buf[n] = c
		n++
	}
	return buf[:n], true
}

// isSecret knows the parameters of presigned URLs (S3, Google, CloudFront, Cloudflare, Cloudinary,
// Azure, Alibaba, Tencent, Wangsu, Akamai) and the usual names of tokens.
func isSecret(name []byte) bool {
	for _, prefix := range [...]string{"x-amz-", "x-goog-", "x-oss-"} {
		if len(name) >= len(prefix) && string(name[:len(prefix)]) == prefix {
			return true
		}
	}
	// access_token, q-signature, auth_key, wsSecret, …
	for _, suffix := range [...]string{"token", "signature", "key", "secret", "password"} {
		if len(name) >= len(suffix) && string(name[len(name)-len(suffix):]) == suffix {
			return true
		}
	}
	switch string(name) {
	case "sig", "sign", "awsaccesskeyid", "googleaccessid", "ossaccesskeyid", "key-pair-id", "policy", "expires",
		"hdnea", "hdnts", "hdntl", "__gda__", "__token__", "__cld_token__", "verify", "hmac", "jwt", "auth", "authorization",
		"credential", "sas":
		return true
	}
	return false
}
