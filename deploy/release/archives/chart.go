package archives

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/cloud-mirror/cloud-mirror/deploy/release/build"
	"github.com/cloud-mirror/cloud-mirror/deploy/release/tarball"
)

// ChartVersion returns the semantic version of a chart for a version of `git describe`.
func ChartVersion(version string) string {
	v := "v" + strings.TrimPrefix(version, "v")
	if semver.IsValid(v) && strings.Count(v, ".") >= 2 {
		return v[1:]
	}
	return "0.0.0-g" + version
}

// Chart packages the chart of a folder of the checkout into dir, with the versions of the release.
// It writes nothing and returns no error if the folder is missing. It follows links to files inside
// the checkout, and returns an error for other links.
func Chart(s build.Source, chart, dir string) error {
	if _, err := os.Stat(chart); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	stem := filepath.Base(chart)
	entries, err := chartTree(s.Root, chart, stem)
	if err != nil {
		return fmt.Errorf("chart: %w", err)
	}
	i := slices.IndexFunc(entries, func(e tarball.Entry) bool { return e.Name == stem+"/Chart.yaml" })
	if i < 0 {
		return fmt.Errorf("chart: %s has no Chart.yaml", chart)
	}
	version := ChartVersion(s.Version)
	for key, value := range map[string]string{"version": version, "appVersion": strconv.Quote(s.Version)} {
		if entries[i].Body, err = set(entries[i].Body, key, value); err != nil {
			return fmt.Errorf("chart: %s/Chart.yaml: %w", chart, err)
		}
	}
	return write(filepath.Join(dir, stem+"-"+version+".tgz"), s, entries)
}

// chartTree returns the files of a chart. [os.Root] refuses links that leave the checkout.
func chartTree(checkout, chart, prefix string) ([]tarball.Entry, error) {
	root, err := os.OpenRoot(checkout)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // It was only read
	name, err := filepath.Rel(checkout, chart)
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(root.FS(), filepath.ToSlash(name))
	if err != nil {
		return nil, err
	}
	return tarball.Tree(files, prefix)
}

// set replaces the value of a key at the top level of a YAML file, which must hold it once.
func set(text []byte, key, value string) ([]byte, error) {
	line := regexp.MustCompile(`(?m)^` + key + `:.*$`)
	if found := len(line.FindAll(text, -1)); found != 1 {
		return nil, fmt.Errorf("it has the key %s %d times, want once", key, found)
	}
	return line.ReplaceAllLiteral(text, []byte(key+": "+value)), nil
}
