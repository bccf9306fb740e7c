package token

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	tokenA = "aaaa-bbbb-cccc-dddd-eeee-ffff-0123"
	tokenB = "b5d1f0c79a8e4d2f8b7c6a5d4e3f2a1b"
)

func sha(token string) string {
	sum := sha256.Sum256([]byte(token))
	return digestPrefix + hex.EncodeToString(sum[:])
}

func TestParse(t *testing.T) {
	l, err := parse([]byte("# name scopes token\n\n  a\tpurge,copies,purge  " + tokenA + "\r\nb status " + sha(tokenB) + "\n  # end"))
	require.NoError(t, err)
	require.Len(t, l, 2)
	assert.Equal(t, "a", l.find(tokenA).name)
	assert.Equal(t, []Scope{Purge, Copies}, l.find(tokenA).scopes)
	assert.Equal(t, "b", l.find(tokenB).name)
	for _, other := range []string{"", "x", tokenA + " ", tokenA[1:], strings.ToUpper(tokenB), sha(tokenB), sha(tokenA)} {
		assert.Nil(t, l.find(other), other)
	}
}

func TestParseErrorsNameTheLineAndNoToken(t *testing.T) {
	const secret = "S3cret"
	for name, c := range map[string]struct{ text, err string }{
		"empty":             {"", "no token in it"},
		"comments only":     {"# a purge " + tokenA, "no token in it"},
		"two fields":        {"\n" + secret + " purge", "line 2: 2 fields, not 3: a name, scopes separated by commas, and a token"},
		"four fields":       {"a purge, copies " + secret, "line 1: 4 fields, not 3: a name, scopes separated by commas, and a token"},
		"token first":       {secret + "+/=" + tokenA + " purge a", "line 1: the name has other characters than letters, digits, '.', '_' and '-', or more than 64"},
		"unknown scope":     {"a " + secret + " " + tokenA, "line 1: a scope is none of [purge copies status codec]"},
		"empty scope":       {"a purge, " + tokenA, "line 1: a scope is none of [purge copies status codec]"},
		"short token":       {"a purge " + secret + strings.Repeat("x", 25), "line 1: the token has fewer than 32 random characters"},
		"monotonous token":  {"a purge " + secret + strings.Repeat("x", 35), "line 1: the token has fewer than 32 random characters"},
		"other characters":  {"a purge " + tokenA + "ü" + secret, "line 1: the token has other characters than printable ASCII"},
		"cut digest":        {"a purge " + sha(secret)[:70], "line 1: sha256: is not followed by 64 hex digits"},
		"no hex":            {"a purge sha256:" + secret, "line 1: sha256: is not followed by 64 hex digits"},
		"same name":         {"a purge " + tokenA + "\na copies " + tokenB, "line 2: another line has the same name"},
		"same token":        {"a purge " + tokenA + "\nb copies " + tokenA, "line 2: another line has the same token"},
		"token as a digest": {"a purge " + tokenA + "\n\nb copies " + sha(tokenA), "line 3: another line has the same token"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse([]byte(c.text))
			require.EqualError(t, err, c.err)
			assert.NotContains(t, err.Error(), secret)
		})
	}
}
