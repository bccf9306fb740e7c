package client_test

import (
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/client"
)

func TestSaveIsAllOrNothing(t *testing.T) {
	broken := errors.New("connection reset")
	for name, tc := range map[string]struct {
		body io.Reader
		size int64
		want string
	}{
		"whole":        {strings.NewReader("hello"), 5, ""},
		"unknown size": {strings.NewReader("hello"), -1, ""},
		"short":        {strings.NewReader("hell"), 5, "received 4 of 5 bytes"},
		"broken":       {io.MultiReader(strings.NewReader("he"), iotest.ErrReader(broken)), 5, "connection reset"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "object")
			require.NoError(t, os.WriteFile(file, []byte("before"), 0o600))
			err := client.Save(file, tc.body, tc.size)
			got, readErr := os.ReadFile(file)
			require.NoError(t, readErr)
			entries, readErr := os.ReadDir(dir)
			require.NoError(t, readErr)
			require.Len(t, entries, 1, "a temporary file was left behind")
			if tc.want == "" {
				require.NoError(t, err)
				require.Equal(t, "hello", string(got))
				return
			}
			require.ErrorContains(t, err, tc.want)
			require.Equal(t, "before", string(got))
		})
	}
}

func TestFileName(t *testing.T) {
	for object, want := range map[string]string{
		"https://example.com/a/b.zip?x=/y": "b.zip", "https://example.com/": "object", "https://example.com": "object",
		"https://example.com/a/": "object", "https://example.com/..": "object", "https://example.com/a%2Fb": "b",
		"https://example.com/%2e%2e": "object", "::" + base64.StdEncoding.EncodeToString([]byte("x")): "object",
	} {
		require.Equal(t, want, client.FileName(object), object)
	}
}
