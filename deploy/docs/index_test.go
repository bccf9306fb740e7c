package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// root is the repository.
const root = "../.."

// index holds what pages may name.
type index struct {
	names    map[string]map[string]bool // By package name: Function, Type, Type.Method, Type.Field
	words    map[string]bool            // All identifiers, strings of one word, and alerts
	files    []string                   // All paths, folders included, relative to root
	source   string                     // All Go source
	settings map[string]bool            // Keys
	sections map[string]bool            // First segments of keys
	targets  map[string]bool            // Of the Makefile
}

// newIndex parses the whole repository.
func newIndex(t *testing.T) *index {
	t.Helper()
	x := &index{
		names: map[string]map[string]bool{}, words: map[string]bool{},
		settings: map[string]bool{}, sections: map[string]bool{}, targets: map[string]bool{},
	}
	require.NoError(t, filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if e.IsDir() && slices.Contains([]string{".git", ".cache", ".local"}, rel) {
			return filepath.SkipDir
		}
		x.files = append(x.files, filepath.ToSlash(rel))
		if e.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		return x.add(name)
	}))
	for _, key := range regexp.MustCompile("(?m)^\\| `([^`]+)` ").FindAllStringSubmatch(config.Table(), -1) {
		x.settings[key[1]] = true
		section, _, _ := strings.Cut(key[1], ".")
		x.sections[section] = true
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	for _, target := range regexp.MustCompile(`(?m)^([a-z][a-z-]*):`).FindAllStringSubmatch(string(makefile), -1) {
		x.targets[target[1]] = true
	}
	x.targets[".cache/bin/local"] = true
	alerts, err := os.ReadFile(filepath.Join(root, "deploy", "alerts", "rules.yaml"))
	require.NoError(t, err)
	for _, alert := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(alerts), -1) {
		x.words[alert[1]] = true
	}
	require.Greater(t, len(x.names), 10)
	require.Greater(t, len(x.settings), 40)
	require.True(t, x.targets["check"])
	return x
}

// add indexes one Go file.
func (x *index) add(name string) error {
	src, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	x.source += string(src)
	file, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
	if err != nil {
		return err
	}
	declared := declarations(file)
	for _, pkg := range []string{strings.TrimSuffix(file.Name.Name, "_test"), path.Base(filepath.ToSlash(filepath.Dir(name)))} {
		if x.names[pkg] == nil {
			x.names[pkg] = map[string]bool{}
		}
		for _, d := range declared {
			x.names[pkg][d] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			x.words[n.Name] = true
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				x.words[text] = true
			}
		}
		return true
	})
	return nil
}

// declarations returns the names that a file declares at its top level, with the methods and fields
// of types.
func declarations(file *ast.File) (names []string) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = receiver(d.Recv.List[0].Type) + "." + name
			}
			names = append(names, name)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					names = append(names, s.Name.Name)
					for _, member := range members(s.Type) {
						names = append(names, s.Name.Name+"."+member)
					}
				case *ast.ValueSpec:
					for _, n := range s.Names {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	default:
		return ""
	}
}

// members returns the fields of a struct, or the methods of an interface.
func members(e ast.Expr) (names []string) {
	var fields *ast.FieldList
	switch e := e.(type) {
	case *ast.StructType:
		fields = e.Fields
	case *ast.InterfaceType:
		fields = e.Methods
	default:
		return nil
	}
	for _, f := range fields.List {
		for _, n := range f.Names {
			names = append(names, n.Name)
		}
	}
	return names
}
