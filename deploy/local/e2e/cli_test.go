package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/tools"
)

// cli runs the real binary as an operator would.
func cli(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), sys.Binary(), args...)
	cmd.Env = append(append(os.Environ(), sys.Env()...), settings()...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func TestClientCommands(t *testing.T) {
	s := newSource(t, 100_000, nil)
	object := s.object()
	server := "--server=" + sys.FrontEndURLs()[0]
	out, _, err := cli(t, "url", server, "--region", west, object)
	require.NoError(t, err)
	require.Equal(t, redirectURL(0, west, object, "")+"\n", out)

	file := filepath.Join(t.TempDir(), "object")
	_, stderr, err := cli(t, "get", server, "--region", west, "--output", file, object)
	require.NoError(t, err, stderr)
	require.Equal(t, "from the copy in us-west-2\n", stderr)
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, s.body, got)

	_, stderr, err = cli(t, "purge", server, "--region", west, "--token", "wrong", object)
	require.Error(t, err)
	require.Equal(t, "cloud-mirror: purge: 401 Unauthorized: A purge needs a bearer token with the scope purge\n", stderr)
	_, _, err = cli(t, "purge", server, "--region", west, "--token", stack.PurgeToken, object)
	require.NoError(t, err)
	require.Equal(t, 1, s.count("GET"))
	requireCopy(t, s, west, ask(t, west, object, ""))
	require.Equal(t, 2, s.count("GET"))

	out, _, err = cli(t, "version")
	require.NoError(t, err)
	root, err := stack.FindRoot(".")
	require.NoError(t, err)
	// The checkout can become dirty during the tests.
	clean := func(version string) string { return strings.TrimSuffix(strings.TrimSpace(version), "-dirty") }
	require.Equal(t, "cloud-mirror "+clean(tools.Version(t.Context(), root)), clean(out))
}

func TestSecondSetupChangesNothing(t *testing.T) {
	for _, args := range [][]string{{"setup"}, {"setup", "--dry-run"}} {
		out, stderr, err := cli(t, append(args, "--config", sys.ConfigPath())...)
		require.NoError(t, err, stderr)
		for _, did := range []string{"created", "registered M", "would set", "would create", "would register", ": set"} {
			require.NotContains(t, out, did)
		}
		for _, has := range []string{"bucket cloud-mirror-local-us-west-2: CORS rules are as configured", "queue cloud-mirror_dead", "search attributes"} {
			require.Contains(t, out, has)
		}
	}
}

func TestHelpOfEverySubcommandHasAnExample(t *testing.T) {
	for _, command := range []string{"frontend", "worker", "setup", "url", "get", "purge", "savings", "version"} {
		out, _, err := cli(t, command, "--help")
		require.NoError(t, err)
		require.Contains(t, out, "Example")
		require.Contains(t, out, "cloud-mirror ")
	}
}

func TestInvalidConfigurationStopsTheStart(t *testing.T) {
	good, err := os.ReadFile(sys.ConfigPath())
	require.NoError(t, err)
	edited := func(old, with string) string {
		require.Contains(t, string(good), old)
		return strings.Replace(string(good), old, with, 1)
	}
	withoutSource, err := os.ReadFile(editedConfig(t, func(c settingsTree) {
		c["source"], c["mirror"] = settingsTree{}, settingsTree{} // An upstream allows its root.
	}))
	require.NoError(t, err)
	for name, tc := range map[string]struct{ bad, want string }{
		"misspelt key":      {edited("max_wait:", "max_wiat:"), `unknown key "max_wiat"`},
		"no allowed source": {string(withoutSource), "source.allowed: is empty"},
		"bad source":        {edited("- http://localhost:*/", "- '(oops'"), "source.allowed: `(oops` is a regular expression"},
	} {
		for _, command := range []string{"frontend", "worker", "setup"} {
			t.Run(command+" "+name, func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "bad.yaml")
				require.NoError(t, os.WriteFile(file, []byte(tc.bad), 0o600))
				_, stderr, err := cli(t, command, "--config", file)
				require.Error(t, err)
				require.Contains(t, stderr, tc.want)
				require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			})
		}
	}
}
