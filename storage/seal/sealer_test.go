package seal_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
)

func newKey(t *testing.T) string {
	t.Helper()
	key := make([]byte, seal.KeySize)
	_, err := rand.Read(key)
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(key)
}

func sealer(t *testing.T, keys ...string) *seal.Sealer {
	t.Helper()
	s, err := seal.New(keys)
	require.NoError(t, err)
	return s
}

func TestSealedQueryIsHiddenAndOpens(t *testing.T) {
	s := sealer(t, newKey(t))
	for _, url := range []string{
		"https://example.com/a", "https://example.com/a?sig=secret", "https://example.com/a?", "https://example.com/?a?b",
		"https://example.com/m/https%3A%2F%2Fh%2Fp%3Fsig%3Dsecret", "https://example.com/m/https%253A%252F%252Fh%252Fp%253Fsig%253Dsecret?secret",
	} {
		o := storage.Object{Service: "s3", Region: "us-west-2", URL: url}
		src := s.Seal(o)
		data, err := json.Marshal(src)
		require.NoError(t, err)
		require.NotContains(t, string(data), "secret")
		require.NotContains(t, src.URL, "?")
		require.NotContains(t, src.URL, "3F")

		var back seal.Object
		require.NoError(t, json.Unmarshal(data, &back))
		got, err := s.Open(back)
		require.NoError(t, err)
		require.Equal(t, o, got)
	}
}

func TestSealedObjectCannotBeChanged(t *testing.T) {
	key := newKey(t)
	s := sealer(t, key)
	src := s.Seal(storage.Object{Service: "s3", Region: "us-west-2", URL: "https://example.com/a?sig=secret"})
	for name, edit := range map[string]func(*seal.Object){
		"another URL":     func(s *seal.Object) { s.URL = "https://evil.example/a" },
		"another service": func(s *seal.Object) { s.Service = "gcs" },
		"another region":  func(s *seal.Object) { s.Region = "us-east-1" },
		"another hash":    func(s *seal.Object) { s.Hash = "00" },
		"another query":   func(s *seal.Object) { s.Query = "AAAA" },
		"no query":        func(s *seal.Object) { s.Query = "" },
	} {
		t.Run(name, func(t *testing.T) {
			bad := src
			edit(&bad)
			_, err := s.Open(bad)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "secret")
		})
	}

	// An operator rotates keys by putting the new key before the old key.
	got, err := sealer(t, newKey(t), key).Open(src)
	require.NoError(t, err)
	require.Equal(t, "https://example.com/a?sig=secret", got.URL)
	_, err = sealer(t, newKey(t)).Open(src)
	require.ErrorIs(t, err, seal.ErrSealed)
}

func TestErrorsDoNotRepeatBadKeys(t *testing.T) {
	for name, keys := range map[string][]string{
		"none": nil, "short": {"c2VjcmV0"}, "not base64": {"secret secret"}, "the second": {newKey(t), "secret"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := seal.New(keys)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "secret")
			require.Contains(t, err.Error(), "openssl rand -base64 32")
		})
	}
}
