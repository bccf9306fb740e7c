package docs

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// reference is the part of the API reference that is compared with the code.
type reference struct {
	Paths      map[string]any
	Components struct {
		Schemas   map[string]schema
		Responses map[string]any
	}
}

type schema struct {
	Ref         string `json:"$ref"`
	Type        string
	Description string
	Properties  map[string]schema
}

func readReference(t *testing.T) (r reference) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(readPage(t, "frontend/openapi.json")), &r))
	require.Greater(t, len(r.Components.Schemas), 5)
	return r
}

func TestReferenceDescribesEveryField(t *testing.T) {
	for name, s := range readReference(t).Components.Schemas {
		require.NotEmpty(t, s.Description, name)
		require.NotEmpty(t, s.Properties, name)
		for field, p := range s.Properties {
			require.True(t, p.Ref != "" || p.Type != "" && p.Description != "", "%s.%s", name, field)
		}
	}
}

// TestReferenceHasTheFieldsOfTheCode compares each body's Go type with the schemas by their sets of
// keys, in both directions.
func TestReferenceHasTheFieldsOfTheCode(t *testing.T) {
	schemas := map[string]string{} // Keys to name
	for name, s := range readReference(t).Components.Schemas {
		if name == "APIReference" { // The document itself has no Go type.
			continue
		}
		var keys []string
		for key := range s.Properties {
			keys = append(keys, key)
		}
		schemas[joined(keys)] = name
	}
	bodies, _ := frontendBodies(t)
	require.Contains(t, bodies, "alive uptime")
	for keys := range bodies {
		require.Contains(t, schemas, keys, "a Go type whose keys no schema has")
	}
	for keys, name := range schemas {
		require.Contains(t, bodies, keys, "schema %s has other fields than any Go type", name)
	}
}

// TestReferenceNamesEveryBody wants a schema with a name for every body, so that the tests above
// see all of them.
func TestReferenceNamesEveryBody(t *testing.T) {
	r, bodies := readReference(t), 0
	each(map[string]any{"paths": r.Paths, "responses": r.Components.Responses}, "content", func(v any) {
		for _, media := range v.(map[string]any) {
			bodies++
			s, _ := media.(map[string]any)["schema"].(map[string]any)
			alternatives, _ := s["oneOf"].([]any)
			for _, a := range append(alternatives, s) {
				if m := a.(map[string]any); m["oneOf"] == nil {
					require.Contains(t, m["$ref"], "#/components/schemas/")
				}
			}
		}
	})
	require.Greater(t, bodies, 10)
}

// TestReferenceGivesMessagesOfTheCode wants each message in an example to begin with a text in the
// code. The rest may be a number or a name.
func TestReferenceGivesMessagesOfTheCode(t *testing.T) {
	_, texts := frontendBodies(t)
	begins := func(message string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return len(text) > 10 && strings.HasPrefix(message, text) })
	}
	require.False(t, begins("Cached copy has not shown up"))
	r, messages := readReference(t), 0
	each(map[string]any{"paths": r.Paths, "responses": r.Components.Responses}, "value", func(v any) {
		for _, key := range []string{"msg", "message"} {
			if message, ok := v.(map[string]any)[key].(string); ok {
				messages++
				require.True(t, begins(message), message)
			}
		}
	})
	require.Greater(t, messages, 10)
}

// TestReasonsAreOnThePage wants every reason of the redirect decision on the page that draws it.
func TestReasonsAreOnThePage(t *testing.T) {
	page := readPage(t, "frontend/README.md")
	reasons := regexp.MustCompile(`(?m)^\s+reason\w+\s+reason\s+= "(\w+)"`).FindAllStringSubmatch(readPage(t, "frontend/decide.go"), -1)
	require.Greater(t, len(reasons), 10)
	for _, reason := range reasons {
		require.Contains(t, page, "| `"+reason[1]+"` |", "in the table")
		require.Contains(t, page, "<b>"+reason[1]+"</b>", "in the chart")
	}
}

// each calls f for the value of every key of that name.
func each(v any, key string, f func(any)) {
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			if k == key {
				f(child)
			}
			each(child, key, f)
		}
	case []any:
		for _, child := range v {
			each(child, key, f)
		}
	}
}

// frontendBodies returns the key sets of the structs with JSON keys in package frontend, and its
// string literals.
func frontendBodies(t *testing.T) (bodies map[string]bool, texts []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "frontend", "*.go"))
	require.NoError(t, err)
	bodies = map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.StructType:
				if keys := jsonKeys(n); len(keys) > 0 {
					bodies[joined(keys)] = true
				}
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					texts = append(texts, text)
				}
			}
			return true
		})
	}
	return bodies, texts
}

func jsonKeys(s *ast.StructType) (keys []string) {
	for _, f := range s.Fields.List {
		if f.Tag == nil {
			continue
		}
		tag, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			continue
		}
		if key, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ","); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

func joined(keys []string) string {
	slices.Sort(keys)
	return strings.Trim(fmt.Sprint(keys), "[]")
}
