package redact_test

import (
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/redact"
)

func TestCut(t *testing.T) {
	for raw, shown := range map[string]string{
		"https://h/a":                  "https://h/a",
		"https://h/a?SECRET":           "https://h/a",
		"https://h/a?":                 "https://h/a",
		"https://h/?a?b":               "https://h/",
		"https://h/a%2Fb%20c%3E%F3%3f": "https://h/a%2Fb%20c%3E%F3",
		"https://h/m/https%3A%2F%2Fi%2Fp%3FX-Amz-Signature%3DSECRET":             "https://h/m/https%3A%2F%2Fi%2Fp",
		"https://h/m/https%253A%252F%252Fi%252Fp%253FX-Amz-Signature%253DSECRET": "https://h/m/https%253A%252F%252Fi%252Fp",
		"https://h/a%25252525253fSECRET":                                         "https://h/a",
		"https://h/a%253%46SECRET":                                               "https://h/a",
		"https://h/a%25%33%46SECRET":                                             "https://h/a",
		"https://h/a%2533%2546SECRET?b":                                          "https://h/a%2533%2546SECRET",
		"https://h/a%3Fb%3Fc?d":                                                  "https://h/a",
		"https://h/a?b%3Fc":                                                      "https://h/a",
		"https://h/a%253Eb":                                                      "https://h/a%253Eb",
		"https://h/100%25":                                                       "https://h/100%25",
		"https://h/%25%25%25%25":                                                 "https://h/%25%25%25%25",
		"":                                                                       "",
	} {
		got, hidden := redact.Cut(raw)
		require.Equal(t, shown, got, raw)
		require.Equal(t, raw, got+hidden)
	}
}

// TestCutOfRandomURLs decodes the shown part until nothing changes, and finds no question mark.
func TestCutOfRandomURLs(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	pieces := []string{"a", "/", "%2F", "%25", "25", "3F", "3f", "3", "F", "%33", "%46", "%66", "%3F", "%253F", "%2533", "%2546", "?", "%20", "%41"}
	whole, hiddenOnes := 0, 0
	for range 100_000 {
		var b strings.Builder
		b.WriteString("https://h/")
		for range random.IntN(12) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		raw := b.String()
		shown, hidden := redact.Cut(raw)
		require.Equal(t, raw, shown+hidden)
		for text := shown; ; {
			require.NotContains(t, text, "?", raw)
			next, err := url.PathUnescape(text)
			if err != nil || next == text {
				break
			}
			text = next
		}
		if hidden == "" {
			whole++
			continue
		}
		hiddenOnes++
		require.Contains(t, "?%", hidden[:1])
	}
	require.Greater(t, whole, 1_000)
	require.Greater(t, hiddenOnes, 1_000)
}

// TestCutAllocatesNothing: ordinary URLs cost no allocation, and a long chain is decoded to its
// end.
func TestCutAllocatesNothing(t *testing.T) {
	for _, raw := range []string{"https://h/a/b.zip?X-Amz-Signature=1", "https://h/a%20b%2Fc/d%25.zip"} {
		require.Zero(t, testing.AllocsPerRun(100, func() { redact.Cut(raw) }), raw)
	}
	chain := "https://h/%" + strings.Repeat("25", 4000)
	shown, _ := redact.Cut(chain + "3FSECRET")
	require.Equal(t, "https://h/", shown)
	shown, _ = redact.Cut(chain)
	require.Equal(t, chain, shown)
}
