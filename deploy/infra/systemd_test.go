package infra

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/unit"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

const binary = "/usr/local/bin/cloud-mirror"

// units returns the text of each unit, by its file.
func units(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../systemd/*.service")
	require.NoError(t, err)
	require.Len(t, files, 3)
	all := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		all[filepath.Base(file)] = string(text)
	}
	return all
}

// options returns the values of a unit's option.
func options(t *testing.T, text, name string) (values []string) {
	t.Helper()
	all, err := unit.DeserializeOptions(strings.NewReader(text))
	require.NoError(t, err)
	for _, o := range all {
		if o.Name == name {
			values = append(values, o.Value)
		}
	}
	return values
}

// analyze runs systemd-analyze on units, which it writes to a folder. This program stands for the
// product, which is not installed.
func analyze(t *testing.T, command []string, all map[string]string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	program, err := os.Executable()
	require.NoError(t, err)
	for name, text := range all {
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(strings.Replace(text, binary, program, 1)), 0o600))
		command = append(command, file)
	}
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", command...).CombinedOutput()
	return string(out), err
}

func TestUnitsAreAccepted(t *testing.T) {
	verify := []string{"verify", "--man=no"}
	all := units(t)
	out, err := analyze(t, verify, all)
	require.NoError(t, err, out)
	require.Empty(t, out, "warnings")
	const name = "cloud-mirror-frontend.service"
	wrong := strings.Replace(all[name], "ProtectSystem=strict", "ProtectSystem=strikt", 1)
	out, _ = analyze(t, verify, map[string]string{name: wrong})
	require.Contains(t, out, "strikt")
}

// TestUnitsAreIsolated bounds the exposure of each unit, in tenths of systemd's scale from 0 to 10.
func TestUnitsAreIsolated(t *testing.T) {
	grade := []string{"security", "--no-pager", "--offline=true", "--threshold=15"}
	for name, text := range units(t) {
		out, err := analyze(t, grade, map[string]string{name: text})
		require.NoError(t, err, out)
		out, err = analyze(t, grade, map[string]string{name: strings.Replace(text, "DynamicUser=yes\n", "", 1)})
		require.Error(t, err, out)
	}
}

// TestUnitsWaitForTheEnd compares the time that systemd gives a process with the time that it needs.
func TestUnitsWaitForTheEnd(t *testing.T) {
	constant := func(file, name string) time.Duration {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		m := regexp.MustCompile(name + ` += (\d+) \* time\.Second`).FindStringSubmatch(string(text))
		require.NotNil(t, m, name)
		return duration(t, m[1]+"s")
	}
	all := units(t)
	c := loaded(t, all["cloud-mirror-frontend.service"])
	require.Positive(t, c.Frontend.Drain)
	for name, needs := range map[string]time.Duration{
		"cloud-mirror-frontend.service": c.Frontend.Drain + constant("../../frontend/server.go", "const shutdownGrace"),
		"cloud-mirror-worker@.service":  constant("../../worker/worker.go", "stopTimeout"),
	} {
		given := options(t, all[name], "TimeoutStopSec")
		require.Len(t, given, 1, name)
		require.GreaterOrEqual(t, duration(t, given[0]), needs+10*time.Second, name)
	}
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	require.NoError(t, err)
	return d
}

// loaded returns the configuration that a unit's environment makes of a small file.
func loaded(t *testing.T, text string) config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cloud-mirror.yaml")
	require.NoError(t, os.WriteFile(file, []byte("source: {allowed: [\"https://artifacts.example.com/\"], query_keys: ["+key+
		"]}\nredis: {url: redis://redis}\ns3: {bucket_base: example}\npools: [{region: us-west-2}]\n"), 0o600))
	c, err := config.Load(file, options(t, text, "Environment"))
	require.NoError(t, err)
	return c
}

// TestUnitsConfigureTheProduct has the product read each unit's environment, and looks for the files
// that it names among the credentials.
func TestUnitsConfigureTheProduct(t *testing.T) {
	for name, text := range units(t) {
		loaded(t, text)
		credentials := strings.Join(options(t, text, "LoadCredential"), " ")
		named := 0
		for _, variable := range options(t, text, "Environment") {
			if _, credential, ok := strings.Cut(variable, "=%d/"); ok {
				named++
				require.Contains(t, credentials, credential+":/etc/cloud-mirror/"+credential, name)
			}
		}
		require.Positive(t, named, name)
		require.Regexp(t, `^`+binary+` (setup|frontend|worker --pool %i)$`, options(t, text, "ExecStart")[0], name)
	}
}

// TestRunbookRestartsWhatHasACopy has the units hold copies of the file of tokens. A process can't see
// a change of the file itself.
func TestRunbookRestartsWhatHasACopy(t *testing.T) {
	unit, err := os.ReadFile("../systemd/cloud-mirror-frontend.service")
	require.NoError(t, err)
	require.Contains(t, string(unit), "LoadCredential=tokens:")
	runbook, err := os.ReadFile("../RUNBOOK.md")
	require.NoError(t, err)
	_, entry, found := strings.Cut(string(runbook), "\n## A token has leaked\n")
	require.True(t, found)
	entry, _, _ = strings.Cut(entry, "\n## ")
	require.Contains(t, entry, "\nsystemctl restart cloud-mirror-frontend\n")
}
