package charts

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

var update = flag.Bool("update", false, "write the schema of config, and the table of values")

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// requireFile compares a file with what it should be, or writes it.
func requireFile(t *testing.T, file, want string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o600))
		return
	}
	if readFile(t, file) != want { // require.Equal would print the whole file.
		t.Errorf("%s is not current, run: cd deploy/charts && go test . -update", file)
	}
}

// TestRulesAreTheAlertRules compares the PrometheusRule with deploy/alerts/rules.yaml.
func TestRulesAreTheAlertRules(t *testing.T) {
	rules := objects[*monitoringv1.PrometheusRule](render(t, "examples/everything.yaml"))
	require.Len(t, rules, 1)
	require.Equal(t, "prometheus", rules[0].Labels["release"])
	var want monitoringv1.PrometheusRuleSpec
	require.NoError(t, yaml.UnmarshalStrict([]byte(readFile(t, root+"/deploy/alerts/rules.yaml")), &want))
	require.Len(t, want.Groups, 1)
	require.Equal(t, want, rules[0].Spec)
}

// settings returns the keys of the product's configuration.
func settings() (keys []string) {
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` ").FindAllStringSubmatch(config.Table(), -1) {
		keys = append(keys, m[1])
	}
	return keys
}

// configSchema returns the schema of the value config: the keys of the configuration, and no others.
func configSchema(keys []string) map[string]any {
	properties, schema := map[string]any{}, map[string]any{"type": "object", "additionalProperties": false}
	schema["properties"] = properties
	below := map[string][]string{}
	for _, key := range keys {
		name, rest, nested := strings.Cut(key, ".")
		if !nested {
			properties[name] = map[string]any{}
			continue
		}
		below[name] = append(below[name], rest)
	}
	for name, keys := range below {
		of := configSchema(keys)
		list, isList := strings.CutSuffix(name, "[]")
		if list == "pools" {
			of["required"] = []any{"region"}
		}
		if isList {
			of = map[string]any{"type": "array", "items": of}
		}
		properties[list] = of
	}
	return schema
}

func TestSchemaKnowsTheSettings(t *testing.T) {
	const file = chart + "/values.schema.json"
	var schema map[string]any
	require.NoError(t, json.Unmarshal([]byte(readFile(t, file)), &schema))
	keys := settings()
	require.Greater(t, len(keys), 100)
	properties := schema["properties"].(map[string]any)
	properties["config"] = configSchema(keys)
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	require.NoError(t, e.Encode(schema))
	requireFile(t, file, text.String())
}

// value is one value of values.yaml.
type value struct{ key, standard, doc string }

// values returns the values in the order of values.yaml. A comment that begins with "# --" describes
// the value below it.
func values(t *testing.T) (all []value) {
	t.Helper()
	var parents, doc []string
	key := regexp.MustCompile(`^( *)([A-Za-z]+):(?: (.*))?$`)
	for line := range strings.Lines(readFile(t, chart+"/values.yaml")) {
		line = strings.TrimSuffix(line, "\n")
		text, isComment := strings.CutPrefix(strings.TrimSpace(line), "# ")
		if isComment {
			doc = append(doc, text)
			continue
		}
		m := key.FindStringSubmatch(line)
		if m == nil || len(doc) > 0 && !strings.HasPrefix(doc[0], "-- ") {
			doc = nil
		}
		if m == nil {
			continue
		}
		parents = append(parents[:len(m[1])/2], m[2])
		if doc != nil {
			all = append(all, value{
				strings.Join(parents, "."), m[3], strings.TrimPrefix(strings.Join(doc, " "), "-- "),
			})
		}
		doc = nil
	}
	return all
}

// TestTableOfValues compares the table in README.md with the comments of values.yaml.
func TestTableOfValues(t *testing.T) {
	const begin, end = "<!-- values: go test . -update writes this table -->\n", "<!-- /values -->\n"
	table := "| value | default | what it is |\n|---|---|---|\n"
	for _, v := range values(t) {
		standard := v.standard
		if standard == `""` {
			standard = ""
		}
		if standard != "" {
			standard = "`" + standard + "`"
		}
		table += fmt.Sprintf("| `%s` | %s | %s |\n", v.key, standard, v.doc)
	}
	const file = chart + "/README.md"
	before, rest, ok := strings.Cut(readFile(t, file), begin)
	require.True(t, ok)
	_, after, ok := strings.Cut(rest, end)
	require.True(t, ok)
	requireFile(t, file, before+begin+table+end+after)
}

// TestValuesHaveComments compares the keys of values.yaml, those with a comment, and those of the
// schema.
func TestValuesHaveComments(t *testing.T) {
	var documented []string
	for _, v := range values(t) {
		documented = append(documented, v.key)
		require.NotEmpty(t, v.doc, v.key)
	}
	require.Greater(t, len(documented), 100)
	var file, schema map[string]any
	require.NoError(t, yaml.UnmarshalStrict([]byte(readFile(t, chart+"/values.yaml")), &file))
	require.NoError(t, json.Unmarshal([]byte(readFile(t, chart+"/values.schema.json")), &schema))
	require.Equal(t, slices.Sorted(slices.Values(documented)), slices.Sorted(slices.Values(leaves(file, documented, ""))))
	inSchema := schemaKeys(schema, schema["properties"].(map[string]any), documented, "")
	require.Equal(t, slices.Sorted(slices.Values(documented)), slices.Sorted(slices.Values(inSchema)))
}

// leaves returns the keys of values.yaml. A documented key has none below it.
func leaves(of map[string]any, documented []string, prefix string) (keys []string) {
	for name, v := range of {
		below, isMap := v.(map[string]any)
		if key := prefix + name; isMap && !slices.Contains(documented, key) {
			keys = append(keys, leaves(below, documented, key+".")...)
		} else {
			keys = append(keys, key)
		}
	}
	return keys
}

// schemaKeys returns the keys that the schema accepts, except global, which Helm adds.
func schemaKeys(schema, of map[string]any, documented []string, prefix string) (keys []string) {
	for name, v := range of {
		key, property := prefix+name, v.(map[string]any)
		if ref, ok := property["$ref"].(string); ok {
			property = schema["$defs"].(map[string]any)[path.Base(ref)].(map[string]any)
		}
		below, isMap := property["properties"].(map[string]any)
		switch {
		case key == "global":
		case isMap && !slices.Contains(documented, key):
			keys = append(keys, schemaKeys(schema, below, documented, key+".")...)
		default:
			keys = append(keys, key)
		}
	}
	return keys
}

// TestPageNamesTheVersionsOfKEDA wants the versions that know the parameters of the triggers.
func TestPageNamesTheVersionsOfKEDA(t *testing.T) {
	trigger, page := readFile(t, chart+"/templates/_keda.tpl"), readFile(t, chart+"/README.md")
	for parameter, note := range map[string]string{
		"workerDeploymentBuildId": "KEDA 2.20 with worker.versioning", "tlsServerName": "KEDA 2.18 with temporal.tls.serverName",
	} {
		require.Contains(t, trigger, parameter+":")
		require.Contains(t, page, note)
	}
}
