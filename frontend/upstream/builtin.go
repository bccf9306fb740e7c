package upstream

import "slices"

// A builtIn is a built-in set of rules: the layout of one kind of server.
type builtIn struct {
	name string
	// immutable judges a path below the root, without its leading slash and query. A true result
	// says that the object behind the path never changes. The digest is that of the path, or empty.
	immutable func(path string) (digest string, ok bool)
	// hops are the roots to which servers of this kind redirect downloads. The policy for sources
	// must allow them.
	hops []string
}

// builtIns lists all sets, by name. A new set needs a line here, a file with its function, and its
// paths in builtin_test.go. Each function names the paths that it takes. A path that it does not
// know is mutable, so a new kind of path is slow instead of stale.
func builtIns() []builtIn {
	return []builtIn{
		{name: "conda", immutable: plain(conda), hops: []string{
			"https://binstar-cio-packages-prod.s3.amazonaws.com/", // Packages of anaconda.org.
		}},
		{name: "deb", immutable: deb},
		{name: "github", immutable: plain(github), hops: []string{
			"https://objects.githubusercontent.com/",        // Assets, until 2025.
			"https://release-assets.githubusercontent.com/", // Assets.
			"https://codeload.github.com/",                  // Archives.
		}},
		{name: "go", immutable: plain(goproxy), hops: []string{
			"https://storage.googleapis.com/proxy-golang-org-prod/", // Large zip files of proxy.golang.org.
		}},
		{name: "maven", immutable: plain(maven)},
		{name: "nix", immutable: plain(nix)},
		{name: "node", immutable: plain(node)},
		{name: "npm", immutable: plain(npm)},
		{name: "oci", immutable: oci},
		{name: "rpm", immutable: plain(rpm)},
		{name: "rustup", immutable: plain(rustup)},
	}
}

// BuiltIn returns the names of all built-in sets, sorted.
func BuiltIn() []string {
	var names []string
	for _, s := range builtIns() {
		names = append(names, s.name)
	}
	return names
}

func builtInSet(name string) (builtIn, bool) {
	all := builtIns()
	i := slices.IndexFunc(all, func(s builtIn) bool { return s.name == name })
	if i < 0 {
		return builtIn{}, false
	}
	return all[i], true
}

// plain adapts a layout whose paths name no digest.
func plain(immutable func(string) bool) func(string) (string, bool) {
	return func(path string) (string, bool) { return "", immutable(path) }
}
