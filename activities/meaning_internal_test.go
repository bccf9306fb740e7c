package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

// TestEveryClassHasAMeaning has the classes that no run ends with as the only ones without a meaning.
func TestEveryClassHasAMeaning(t *testing.T) {
	unknown := Failure{Class: "a class of another build"}.Meaning()
	var without []string
	for _, class := range cache.Classes() {
		if (Failure{Class: class}).Meaning() == unknown {
			without = append(without, class)
		}
	}
	require.ElementsMatch(t, []string{
		"RangeRefused", "SourceTooSmall", "SourceBusy", "SourceChanged", "HandedOver", "InternalError", "Terminated", "Paused", "Reset", "AttemptEnded",
	}, without)
	seen := map[string]int{}
	for _, status := range []int{301, 404, 410, 401, 403, 429, 500, 503} {
		seen[Failure{Class: "BadHTTPStatus", Status: status}.Meaning()] = status
	}
	require.Len(t, seen, 5)
}
