package permissions

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// sdk is the prefix of the packages of AWS's services.
const sdk = "github.com/aws/aws-sdk-go-v2/service/"

// Source is what the Go source below a folder calls.
type Source struct {
	// Services are the imported services of AWS, sorted.
	Services []string
	// Operations are the calls for which the source makes an input, sorted.
	Operations []string
}

// ReadSource reads the product's source. It leaves tests out, and the folders with these names
// below root.
func ReadSource(root string, without ...string) (Source, error) {
	services, operations := map[string]bool{}, map[string]bool{}
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		switch {
		case err != nil:
			return err
		case e.IsDir() && (slices.Contains(without, filepath.ToSlash(rel)) || rel != "." && strings.HasPrefix(e.Name(), ".")):
			return filepath.SkipDir
		case e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return err
		}
		addInputs(file, services, operations)
		return nil
	})
	return Source{slices.Sorted(maps.Keys(services)), slices.Sorted(maps.Keys(operations))}, err
}

// addInputs adds the services that a file imports, and the operations whose inputs it makes.
func addInputs(file *ast.File, services, operations map[string]bool) {
	packages := map[string]bool{}
	for _, spec := range file.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		service, ok := strings.CutPrefix(path, sdk)
		if err != nil || !ok {
			continue
		}
		service, _, types := strings.Cut(service, "/")
		services[service] = true
		if !types && spec.Name == nil {
			packages[service] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if input, ok := literal.Type.(*ast.SelectorExpr); ok {
			pkg, isName := input.X.(*ast.Ident)
			if operation, ok := strings.CutSuffix(input.Sel.Name, "Input"); ok && isName && packages[pkg.Name] {
				operations[operation] = true
			}
		}
		return true
	})
}
