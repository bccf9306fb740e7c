package auditor

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// parseReference reads the statuses of an OpenAPI document.
func parseReference(text string) (map[string][]string, error) {
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, fmt.Errorf("read the API reference: %w", err)
	}
	all := map[string][]string{}
	for path, methods := range doc.Paths {
		route := strings.Join(strings.SplitN(path, "/", 4)[:3], "/")
		for method, raw := range methods {
			var operation struct{ Responses map[string]json.RawMessage }
			if json.Unmarshal(raw, &operation) != nil {
				continue // The parameters of all methods
			}
			for status := range operation.Responses {
				all[strings.ToUpper(method)+" "+route] = append(all[strings.ToUpper(method)+" "+route], status)
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the API reference has no routes")
	}
	return all, nil
}
