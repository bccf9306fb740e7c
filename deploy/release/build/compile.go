package build

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Name is the name of the program.
const Name = "cloud-mirror"

// Platform is an operating system and a processor, as Go names them.
type Platform struct{ OS, Arch string }

func (p Platform) String() string { return p.OS + "/" + p.Arch }

// Images returns the platforms of the image.
func Images() []Platform { return []Platform{{"linux", "amd64"}, {"linux", "arm64"}} }

// Archives returns the platforms of the archives.
func Archives() []Platform {
	return []Platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}
}

// Flags returns the flags of `go build` for a release. deploy/Dockerfile has the same.
func Flags(version string) []string {
	return []string{"-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=" + version}
}

// Programs are paths of programs by their platform.
type Programs map[Platform]string

// Compile builds the product for each platform into a folder.
func (s Source) Compile(ctx context.Context, platforms []Platform, dir string) (Programs, error) {
	toolchain, err := s.Toolchain()
	if err != nil {
		return nil, err
	}
	programs := Programs{}
	for _, p := range platforms {
		path := filepath.Join(dir, Name+"-"+p.OS+"-"+p.Arch)
		cmd := exec.CommandContext(ctx, "go", append(append([]string{"build"}, Flags(s.Version)...), "-o", path, ".")...)
		cmd.Dir = s.Root
		// GOFLAGS is not empty, since an empty one would let the file of go env in.
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.OS, "GOARCH="+p.Arch, "GOAMD64=v1", "GOARM64=v8.0",
			"GOFLAGS=-mod=readonly", "GOEXPERIMENT=", "GOWORK=off", "GOTOOLCHAIN="+toolchain)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s for %s: %w\n%s", Name, p, err, bytes.TrimSpace(out))
		}
		programs[p] = path
	}
	return programs, nil
}

// Stem returns the name of a platform's files in a release, without the suffix.
func (s Source) Stem(p Platform) string {
	return strings.Join([]string{Name, s.Version, p.OS, p.Arch}, "_")
}

// BOMs writes a bill of materials of each program into a folder: CycloneDX, as JSON.
func (s Source) BOMs(ctx context.Context, programs Programs, dir string) error {
	for p, program := range programs {
		cmd := exec.CommandContext(ctx, "go", "tool", "-modfile="+filepath.Join(s.Root, "deploy", "tools", "go.mod"),
			"cyclonedx-gomod", "bin", "-json", "-std", "-noserial", "-notimestamp", "-version", s.Version,
			"-output", filepath.Join(dir, s.Stem(p)+".cdx.json"), program)
		cmd.Dir = s.Root
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("bill of materials for %s: %w\n%s", p, err, bytes.TrimSpace(out))
		}
	}
	return nil
}
