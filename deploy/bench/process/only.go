package process

import (
	"fmt"
	"slices"
	"strings"
)

// Only returns the elements that a flag -only selects by a comma-separated list of names, in the order of
// the list. An empty list selects all. what is the word for an element, for the error.
func Only[T any](names, what string, all []T, name func(T) string) (selected []T, err error) {
	if names == "" {
		return all, nil
	}
	for want := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(t T) bool { return name(t) == want })
		if i < 0 {
			return nil, fmt.Errorf("-only: no %s is named %q", what, want)
		}
		selected = append(selected, all[i])
	}
	return selected, nil
}
