package build_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/shlex"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
	"github.com/cloud-mirror/cloud-mirror/deploy/release/build"
	"github.com/cloud-mirror/cloud-mirror/deploy/release/image"
)

// TestDockerfileMakesTheSameImage compares deploy/Dockerfile with the image builder.
func TestDockerfileMakesTheSameImage(t *testing.T) {
	root, err := stack.FindRoot(".")
	require.NoError(t, err)
	source := build.Source{Root: root, Version: "$VERSION"}
	stages := parse(t, filepath.Join(root, "deploy", "Dockerfile"))
	require.Len(t, stages, 2)
	toolchain, err := source.Toolchain()
	require.NoError(t, err)
	require.Equal(t, "golang:"+strings.TrimPrefix(toolchain, "go"), stages[0].BaseName)

	want := append([]string{"CGO_ENABLED=0", "GOOS=$TARGETOS", "GOARCH=$TARGETARCH", "go", "build"}, build.Flags("$VERSION")...)
	want = append(want, "-o", "/image"+image.Program, ".")
	var builds [][]string
	for _, run := range commands[*instructions.RunCommand](stages[0]) {
		require.Len(t, run.CmdLine, 1)
		if words, err := shlex.Split(run.CmdLine[0]); err == nil && strings.Contains(run.CmdLine[0], "go build") {
			builds = append(builds, words)
		}
	}
	require.Equal(t, [][]string{want}, builds)

	last := stages[1]
	require.Equal(t, "scratch", last.BaseName)
	require.Empty(t, commands[*instructions.RunCommand](last))
	copies := commands[*instructions.CopyCommand](last)
	require.Len(t, copies, 1)
	require.Equal(t, []string{stages[0].Name, "/image/", "/"}, append([]string{copies[0].From}, append(copies[0].SourcePaths, copies[0].DestPath)...))
	users := commands[*instructions.UserCommand](last)
	require.Len(t, users, 1)
	require.Equal(t, image.User, users[0].User)
	entries := commands[*instructions.EntrypointCommand](last)
	require.Len(t, entries, 1)
	require.Equal(t, []string{image.Program}, entries[0].CmdLine)
	require.False(t, entries[0].PrependShell)
	labels := image.Labels(source)
	for _, command := range commands[*instructions.LabelCommand](last) {
		for _, l := range command.Labels {
			require.Equal(t, labels[l.Key], strings.Trim(l.Value, `"`), l.Key)
			delete(labels, l.Key)
		}
	}
	// Docker does not know them.
	delete(labels, "org.opencontainers.image.created")
	delete(labels, "org.opencontainers.image.revision")
	require.Empty(t, labels, "these labels are missing")
}

func parse(t *testing.T, path string) []instructions.Stage {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	file, err := parser.Parse(f)
	require.NoError(t, err)
	stages, _, err := instructions.Parse(file.AST, nil)
	require.NoError(t, err)
	return stages
}

// commands returns the commands of a stage that have a type.
func commands[C instructions.Command](s instructions.Stage) []C {
	var found []C
	for _, c := range s.Commands {
		if c, ok := c.(C); ok {
			found = append(found, c)
		}
	}
	return found
}
