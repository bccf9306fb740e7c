package tools_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// programs are those that make test installs, and their packages in Debian.
func programs() map[string]string {
	return map[string]string{
		"redis-server": "redis-server", "chromium": "chromium", "curl": "curl", "wget": "wget", "aria2c": "aria2",
		"rclone": "rclone", "pip3": "python3-pip", "npm": "npm", "mvn": "maven", "dpkg-deb": "dpkg",
		"prometheus": "prometheus", "nginx": "nginx", "postgres": "postgresql", "systemd-analyze": "systemd",
	}
}

// machine is a folder of programs that is the whole PATH. Its apt-get logs its arguments.
type machine struct{ bin, log string }

func newMachine(t *testing.T, uid string, missing ...string) machine {
	t.Helper()
	m := machine{bin: t.TempDir(), log: filepath.Join(t.TempDir(), "log")}
	for _, name := range []string{"bash", "env"} {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(m.bin, name)))
	}
	scripts := map[string]string{"id": "echo " + uid, "apt-get": `echo "$*" >>` + m.log}
	for name := range programs() {
		scripts[name] = "echo exists"
	}
	for _, name := range missing {
		delete(scripts, name)
	}
	for name, script := range scripts {
		require.NoError(t, os.WriteFile(filepath.Join(m.bin, name), []byte("#!/usr/bin/env bash\n"+script+"\n"), 0o700))
	}
	return m
}

// run runs a command in the root of the repository. It returns the packages that apt-get installed.
func (m machine) run(t *testing.T, name string, args ...string) (installed []string, output string, err error) {
	t.Helper()
	path, err := exec.LookPath(name)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.Env = "../../..", []string{"PATH=" + m.bin, "PROGRAM_DIRS="}
	out, err := cmd.CombinedOutput()
	log, _ := os.ReadFile(m.log)
	for line := range strings.Lines(string(log)) {
		if words := strings.Fields(line); words[0] == "install" {
			require.Contains(t, words, "--no-remove")
			installed = append(installed, words[len(words)-1])
		}
	}
	return installed, string(out), err
}

func TestMakeInstallsMissingProgramsOnly(t *testing.T) {
	targets := []string{"redis", "chromium", "clients", "cluster-servers", "systemd"}
	t.Run("all exist", func(t *testing.T) {
		m := newMachine(t, "0")
		installed, output, err := m.run(t, "make", targets...)
		require.NoError(t, err, output)
		require.Empty(t, installed)
		require.NoFileExists(t, m.log)
	})
	for name, apt := range programs() {
		t.Run(name+" is missing", func(t *testing.T) {
			installed, output, err := newMachine(t, "0", name).run(t, "make", targets...)
			require.NoError(t, err, output)
			require.Equal(t, []string{apt}, installed)
		})
		t.Run(name+" is missing, and the user is not root", func(t *testing.T) {
			installed, output, err := newMachine(t, "1000", name).run(t, "make", targets...)
			require.Error(t, err)
			require.Empty(t, installed)
			require.Contains(t, output, name+" is missing; install it with your package manager (apt-get install "+apt+",")
		})
		t.Run(name+" exists, and install.sh is run", func(t *testing.T) {
			m := newMachine(t, "0")
			installed, output, err := m.run(t, "bash", "deploy/install.sh", name)
			require.NoError(t, err, output)
			require.Empty(t, installed)
			require.NoFileExists(t, m.log)
		})
	}
}

// TestMissingAptGet has no package manager that could install another.
func TestMissingAptGet(t *testing.T) {
	_, output, err := newMachine(t, "0", "apt-get").run(t, "make", "clients")
	require.Error(t, err)
	require.Contains(t, output, "apt-get is missing; install it with your package manager (apt-get install apt, dnf install apt) and try again")
}

// TestWorkflowInstallsWhatMakeCheckNeeds runs the targets as a user other than root, who can't
// install a program. The machine has the runner image's programs, and the workflow's packages.
func TestWorkflowInstallsWhatMakeCheckNeeds(t *testing.T) {
	// https://github.com/actions/runner-images/blob/main/images/ubuntu/Ubuntu2404-Readme.md; it has
	// Chrome for chromium.
	image := []string{"chromium", "curl", "wget", "pip3", "npm", "mvn", "dpkg-deb", "systemd-analyze"}
	workflow, err := os.ReadFile("../../../.github/workflows/check.yml")
	require.NoError(t, err)
	steps := regexp.MustCompile(`apt-get install .*--no-install-recommends (.*)`).FindAllStringSubmatch(string(workflow), -1)
	require.NotEmpty(t, steps)
	packages := strings.Fields(steps[0][1])
	var missing []string
	for name, apt := range programs() {
		if !slices.Contains(image, name) && !slices.Contains(packages, apt) {
			missing = append(missing, name)
		}
	}
	require.NotEmpty(t, missing, "make check needs no server of a cluster")
	_, output, err := newMachine(t, "1000", missing...).run(t, "make", "redis", "chromium", "clients", "systemd")
	require.NoError(t, err, output)
}
