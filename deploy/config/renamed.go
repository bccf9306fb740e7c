package config

import (
	"strings"

	"github.com/goccy/go-yaml"
)

// renamed returns the former keys of settings, with their present ones.
func renamed() map[string]string {
	return map[string]string{
		"worker.query_keys": "source.query_keys", // 2026-11-26: front ends seal too
	}
}

// checkRenamed returns an error if the file sets a former key. It never shows the value.
func checkRenamed(data []byte) error {
	var file any
	_ = yaml.Unmarshal(data, &file) // The strict decoder reports an error.
	for old, key := range renamed() {
		node, found := file, true
		for name := range strings.SplitSeq(old, ".") {
			section, _ := node.(map[string]any)
			if node, found = section[name]; !found {
				break
			}
		}
		if found {
			return wrong(old, "is %s now", key)
		}
	}
	return nil
}

// renamedVariable returns the present name of a former variable, or "".
func renamedVariable(name string) string {
	for old, key := range renamed() {
		if name == variable(old) {
			return variable(key)
		}
	}
	return ""
}

// variable returns the variable of a key that is in no list.
func variable(key string) string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}
