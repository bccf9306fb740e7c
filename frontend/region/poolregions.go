package region

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// poolRegions maps each region that has a pool to itself, and each region in o.Nearest to its
// nearest region with a pool.
func poolRegions(o *Options) (map[string]string, error) {
	own := map[string]string{}
	for _, region := range o.Pools {
		if region == "" || region == global {
			return nil, fmt.Errorf("%q is not the region of a pool", region)
		}
		own[region] = region
	}
	if len(own) == 0 {
		return nil, errors.New("no region has a pool")
	}
	all := maps.Clone(own)
	for _, region := range slices.Sorted(maps.Keys(o.Nearest)) {
		target := o.Nearest[region]
		if region == "" || region == global {
			return nil, fmt.Errorf("%q, whose nearest pool is in %q, is not a region", region, target)
		}
		if own[region] != "" {
			return nil, fmt.Errorf("nearest pool of %s: it has its own pool", region)
		}
		if own[target] == "" {
			return nil, fmt.Errorf("nearest pool of %s: %q has none", region, target)
		}
		all[region] = target
	}
	if o.Default != "" && own[o.Default] == "" {
		return nil, fmt.Errorf("default region: %q has no pool", o.Default)
	}
	return all, nil
}
