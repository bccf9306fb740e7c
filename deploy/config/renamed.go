package config

import (
	"strings"

	"github.com/goccy/go-yaml"
)

// renamed returns the keys of earlier builds, with the advice of the error that names them.
func renamed() map[string]string {
	return map[string]string{
		"source.allowed_patterns": "is now source.allowed, a list of URLs; expressions that are a literal scheme, host and slash are still read",
		"worker.query_keys":       "is source.query_keys now, because front ends seal too",
		"frontend.purge_token":    "is replaced by frontend.tokens_file: write the token, or another, into a file",
	}
}

// checkRenamed returns an error if the file sets a key of earlier builds. It never shows the value.
func checkRenamed(data []byte) error {
	var file any
	_ = yaml.Unmarshal(data, &file) // The strict decoder reports an error.
	for old, advice := range renamed() {
		node, found := file, true
		for name := range strings.SplitSeq(old, ".") {
			section, _ := node.(map[string]any)
			if node, found = section[name]; !found {
				break
			}
		}
		if found {
			return wrong(old, "%s", advice)
		}
	}
	return nil
}

// renamedVariable returns the same error for the variable of such a key.
func renamedVariable(name string) error {
	for old, advice := range renamed() {
		if name == variablePrefix+strings.ToUpper(strings.ReplaceAll(old, ".", "_")) {
			return wrong("environment: "+name, "%s", advice)
		}
	}
	return nil
}
