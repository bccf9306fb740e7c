package savings

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// paths are the paths of all upstreams.
type paths struct {
	standard Path
	byName   map[string]Path
}

// parsePaths parses values such as "nat", for all upstreams, and "github.com=region".
func parsePaths(values []string) (paths, error) {
	p := paths{byName: map[string]Path{}}
	for _, value := range values {
		name, way, named := strings.Cut(value, "=")
		if !named {
			name, way = "", value
		}
		path := Path(way)
		if path != PathNAT && path != PathRegion && path != PathBoth {
			return paths{}, fmt.Errorf("--path: %q is not nat, region or both, nor an upstream with one of them, such as github.com=nat", value)
		}
		_, twice := p.byName[name]
		switch {
		case named && name == "":
			return paths{}, fmt.Errorf("--path: %q names no upstream", value)
		case twice, !named && p.standard != "":
			return paths{}, errors.New("--path: an upstream, or all of them, have two paths")
		case named:
			p.byName[name] = path
		default:
			p.standard = path
		}
	}
	if p.standard == "" {
		p.standard = PathNAT
	}
	return p, nil
}

func (p paths) of(upstream string) Path {
	if path, ok := p.byName[upstream]; ok {
		return path
	}
	return p.standard
}

// known returns an error if the metrics don't have a named upstream.
func (p paths) known(m *measurement) error {
	names := map[string]bool{}
	for k := range m.usage {
		names[k.upstream] = true
	}
	for _, name := range slices.Sorted(maps.Keys(p.byName)) {
		if !names[name] {
			return fmt.Errorf("--path: the metrics have no upstream %q, only %s", name, strings.Join(slices.Sorted(maps.Keys(names)), ", "))
		}
	}
	return nil
}

// String describes the paths for people.
func (p paths) String() string {
	text := map[Path]string{PathNAT: "a NAT gateway", PathRegion: "regions", PathBoth: "regions and a NAT gateway"}
	all := []string{text[p.standard]}
	for _, name := range slices.Sorted(maps.Keys(p.byName)) {
		all = append(all, "those of "+name+" "+text[p.byName[name]])
	}
	return strings.Join(all, ", ") + " (--path)"
}
