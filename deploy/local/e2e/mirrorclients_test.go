package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mirrorClient is a program that gets a package cmprobe through the mirror route, by configuration
// alone.
type mirrorClient struct {
	name string
	copy []string // The rules of its upstream.
	// below is the path of the upstream's root.
	below string
	// files returns the files of the source, which has these versions of the package. The mirror's
	// URL of the upstream is root.
	files func(t *testing.T, root string, versions ...string) map[string][]byte
	// run gets the newest version into an empty folder, and compares its bytes.
	run func(t *testing.T, dir, root, newest string)
	// immutable returns the paths of a version that are copied.
	immutable func(version string) []string
	// mutable are paths that each client gets from the source.
	mutable []string
	// only 1.0.0 exists, since the source has no index.
	noIndex bool
}

// probe is the content of a version of the package.
func probe(version string) string { return "cmprobe = '" + version + "'\n" }

// TestMirrorClients has each client get a package three times, into an empty folder each time:
// without copies, with copies, and after the source's index has changed. frontend/CLIENTS.md lists
// the clients and their settings.
func TestMirrorClients(t *testing.T) {
	clients := mirrorClients()
	sources := make([]*mirrorSource, len(clients))
	var upstreams []settingsTree
	for i, c := range clients {
		sources[i] = newMirrorSource(t)
		upstreams = append(upstreams, settingsTree{"name": c.name, "url": sources[i].URL + c.below, "copy": c.copy})
	}
	o := startObservedMirror(t, upstreams)
	for i, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			c.test(t, o, sources[i])
		})
	}
}

func (c mirrorClient) test(t *testing.T, o *observed, s *mirrorSource) {
	t.Helper()
	root := o.mirrorURL(c.name)
	rounds := []struct {
		newest string
		copied bool // Workers read the source.
	}{{"1.0.0", true}, {"1.0.0", false}, {"1.1.0", true}}
	if c.noIndex {
		rounds = rounds[:2]
	}
	versions := []string{}
	for _, round := range rounds {
		if round.copied {
			versions = append(versions, round.newest)
			s.write(t, c.files(t, root, versions...))
		}
		c.run(t, t.TempDir(), root, round.newest)

		workers, others := s.take()
		immutable := c.immutable(round.newest)
		if round.copied {
			require.Subset(t, workers, immutable, "paths that workers read")
		} else {
			require.Empty(t, workers, "paths that workers read")
		}
		require.Subset(t, others, c.mutable, "paths that the client read")
		for _, path := range c.mutable {
			require.NotContains(t, workers, path, "a mutable path was copied")
		}
		for _, path := range immutable {
			require.NotContains(t, others, path, "the client read the source")
			texts, _ := o.takeURIs(hashOf(s.URL + path))
			require.Regexp(t, "bucket GET (bytes=[0-9-]+ )?20[06]", strings.Join(texts, "\n"), path)
		}
	}
}
