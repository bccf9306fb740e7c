package client_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/client"
)

// run runs a command line and returns its standard output.
func run(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var cli struct {
		URL    client.URLCommand    `cmd:"" name:"url"`
		Get    client.GetCommand    `cmd:""`
		Status client.StatusCommand `cmd:""`
	}
	parser, err := kong.New(&cli, kong.BindTo(t.Context(), (*context.Context)(nil)))
	require.NoError(t, err)
	command, err := parser.Parse(args)
	if err != nil {
		return "", err
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	require.NoError(t, err)
	defer file.Close()
	before := os.Stdout
	os.Stdout = file
	defer func() { os.Stdout = before }()
	err = command.Run()
	printed, readErr := os.ReadFile(file.Name())
	require.NoError(t, readErr)
	return string(printed), err
}

func digestOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

func TestURLCommandWithADigest(t *testing.T) {
	args := []string{"url", "--server=https://mirror.example", "--region=us-west-2", "https://example.com/a?b"}
	const redirect = "https://mirror.example/v1/redirect/s3/us-west-2/https%3A%2F%2Fexample.com%2Fa%3Fb"
	digest := digestOf("hello")
	for flag, want := range map[string]string{
		"":                                    redirect,
		"--sha256=" + digest:                  redirect + "?sha256=" + digest,
		"--sha256=" + strings.ToUpper(digest): redirect + "?sha256=" + digest,
	} {
		got, err := run(t, append(args, strings.Fields(flag)...)...)
		require.NoError(t, err)
		require.Equal(t, want+"\n", got, flag)
	}
	// A shell passes an empty digest for an unset variable.
	for _, digest := range []string{"", digest[2:], digest + "00", digest[1:] + "g"} {
		_, err := run(t, append(args, "--sha256", digest)...)
		require.EqualError(t, err, "--sha256: must be 64 hex digits", digest)
	}
}

func TestGetCommandVerifiesTheDigest(t *testing.T) {
	var lastQuery string // query of the last request to the front end
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/object" {
			_, _ = io.WriteString(w, "hello")
			return
		}
		lastQuery = r.URL.RawQuery
		w.Header().Set("Location", s.URL+"/object")
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, `{"url":"x","msg":"Cached copy has another SHA-256 than this request expects"}`)
	}))
	defer s.Close()
	mismatch := fmt.Sprintf("the object's SHA-256 is %s, not %s", digestOf("hello"), digestOf("hullo"))
	for name, tc := range map[string]struct {
		digest string // empty means no flag
		before string // content of the file; empty means no file
		want   string // error
	}{
		"no digest":               {"", "before", ""},
		"the object's":            {digestOf("hello"), "before", ""},
		"another digest":          {digestOf("hullo"), "before", mismatch},
		"the object's, no file":   {digestOf("hello"), "", ""},
		"another digest, no file": {digestOf("hullo"), "", mismatch},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "object")
			if tc.before != "" {
				require.NoError(t, os.WriteFile(file, []byte(tc.before), 0o600))
			}
			args := []string{"get", "--server", s.URL, "--region=us-west-2", "https://example.com/a"}
			query := ""
			if tc.digest != "" {
				args, query = append(args, "--sha256", tc.digest), "sha256="+tc.digest
			}
			_, err := run(t, append(args, "--output", file)...)
			require.Equal(t, query, lastQuery)
			files := map[string]string{}
			entries, readErr := os.ReadDir(dir)
			require.NoError(t, readErr)
			for _, e := range entries {
				body, readErr := os.ReadFile(filepath.Join(dir, e.Name()))
				require.NoError(t, readErr)
				files[e.Name()] = string(body)
			}
			stdout, stdoutErr := run(t, append(args, "--output=-")...)
			require.Equal(t, "hello", stdout)
			switch {
			case tc.want == "":
				require.NoError(t, err)
				require.NoError(t, stdoutErr)
				require.Equal(t, map[string]string{"object": "hello"}, files)
				return
			case tc.before == "":
				require.Empty(t, files, "a temporary file was left behind")
			default:
				require.Equal(t, map[string]string{"object": tc.before}, files)
			}
			require.EqualError(t, err, "save "+file+": "+tc.want)
			require.EqualError(t, stdoutErr, tc.want)
		})
	}
}
