package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
	"github.com/cloud-mirror/cloud-mirror/deploy/release/archives"
	"github.com/cloud-mirror/cloud-mirror/deploy/release/build"
	"github.com/cloud-mirror/cloud-mirror/deploy/release/image"
)

type commands struct {
	Image   imageCommand   `cmd:"" help:"Build the image as an OCI layout, with its bills of materials beside it."`
	Push    pushCommand    `cmd:"" help:"Build the image and push it, with the version as its tag."`
	Release releaseCommand `cmd:"" help:"Build all files of a release, with their checksums."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	parsed := kong.Parse(&c, kong.Name("release"), kong.Description("The image and the files of a release."), kong.UsageOnError())
	if err := parsed.Run(environment{ctx: ctx}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1) //nolint:gocritic // Stop was called
	}
}

type environment struct{ ctx context.Context }

// make builds into a new folder, and replaces .cache/NAME by it. It returns that path.
func (e environment) make(name string, f func(s build.Source, scratch, dir string) error) (string, error) {
	root, err := stack.FindRoot(".")
	if err != nil {
		return "", err
	}
	s, err := build.Open(e.ctx, root)
	if err != nil {
		return "", err
	}
	cache := filepath.Join(root, ".cache")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	scratch, err := os.MkdirTemp(cache, name+"-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	fresh, target := filepath.Join(scratch, "fresh"), filepath.Join(cache, name)
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return "", err
	}
	if err := f(s, scratch, fresh); err != nil {
		return "", err
	}
	if err := os.RemoveAll(target); err != nil {
		return "", err
	}
	return target, os.Rename(fresh, target)
}

// layoutName is the folder of the OCI layout in the folder of the image.
const layoutName = "oci"

// image builds the image with its bills of materials, and returns the path of its layout.
func (e environment) image() (string, error) {
	dir, err := e.make("image", func(s build.Source, scratch, dir string) error {
		programs, err := s.Compile(e.ctx, build.Images(), scratch)
		if err != nil {
			return err
		}
		if err := s.BOMs(e.ctx, programs, dir); err != nil {
			return err
		}
		return writeImage(s, programs, filepath.Join(dir, layoutName))
	})
	return filepath.Join(dir, layoutName), err
}

// writeImage writes the layout of the image, and prints its digest.
func writeImage(s build.Source, programs build.Programs, dir string) error {
	index, err := image.Build(s, programs)
	if err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Println(build.Name, s.Version, "image", digest)
	return image.Write(index, s.Version, dir)
}

type imageCommand struct{}

// Run is the subcommand image.
func (imageCommand) Run(e environment) error {
	dir, err := e.image()
	if err != nil {
		return err
	}
	fmt.Println("OCI layout in", dir)
	return nil
}

type pushCommand struct {
	Repo string `help:"The repository, for example registry.example.com/cloud-mirror."`
}

// Run is the subcommand push.
func (c pushCommand) Run(e environment) error {
	repo, err := image.Repository(c.Repo)
	if err != nil {
		return err
	}
	dir, err := e.image()
	if err != nil {
		return err
	}
	pushed, err := image.Push(e.ctx, dir, repo)
	if err != nil {
		return err
	}
	fmt.Println("pushed", pushed)
	return nil
}

type releaseCommand struct{}

// Run is the subcommand release.
func (releaseCommand) Run(e environment) error {
	dir, err := e.make("release", func(s build.Source, scratch, dir string) error {
		programs, err := s.Compile(e.ctx, build.Archives(), scratch)
		if err != nil {
			return err
		}
		layout := filepath.Join(scratch, layoutName)
		if err := writeImage(s, programs, layout); err != nil {
			return err
		}
		return archives.Release(e.ctx, s, programs, layout, dir)
	})
	if err != nil {
		return err
	}
	fmt.Println("release in", dir)
	return nil
}
