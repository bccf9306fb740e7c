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

// Chart packages the chart of a folder into another one, with the versions of the release. It
// writes nothing and returns no error if the folder is missing.
func Chart(s build.Source, chart, dir string) error {
	entries, err := tarball.Tree(os.DirFS(chart), filepath.Base(chart))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("chart: %w", err)
	}
	stem := filepath.Base(chart)
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

// set replaces the value of a key at the top level of a YAML file, which must hold it once.
func set(text []byte, key, value string) ([]byte, error) {
	line := regexp.MustCompile(`(?m)^` + key + `:.*$`)
	if found := len(line.FindAll(text, -1)); found != 1 {
		return nil, fmt.Errorf("it has the key %s %d times, want once", key, found)
	}
	return line.ReplaceAllLiteral(text, []byte(key+": "+value)), nil
}
