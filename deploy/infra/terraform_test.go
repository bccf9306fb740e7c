package infra

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/stretchr/testify/require"
)

const terraform = "../terraform"

// root is a root module of Terraform, or a module that others call.
type root struct {
	blocks     []*hclsyntax.Block
	declared   map[string]bool // Addresses, such as var.name and aws_sqs_queue.dead
	referenced map[string]bool
	unknown    []string // References to nothing
}

// parse reads all files of a folder.
func parse(t *testing.T, folder string) *root {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.tf"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var sources []string
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		sources = append(sources, string(text))
	}
	m, err := parseText(sources...)
	require.NoError(t, err)
	return m
}

func parseText(sources ...string) (*root, error) {
	m := &root{declared: map[string]bool{}, referenced: map[string]bool{}}
	for _, text := range sources {
		file, diags := hclsyntax.ParseConfig([]byte(text), "main.tf", hcl.InitialPos)
		if diags.HasErrors() {
			return nil, diags
		}
		m.blocks = append(m.blocks, file.Body.(*hclsyntax.Body).Blocks...)
	}
	for _, b := range m.blocks {
		m.declare(b)
	}
	for _, b := range m.blocks {
		m.refer(b.Body, nil)
	}
	return m, nil
}

func (m *root) declare(b *hclsyntax.Block) {
	switch b.Type {
	case "variable":
		m.declared["var."+b.Labels[0]] = true
	case "locals":
		for name := range b.Body.Attributes {
			m.declared["local."+name] = true
		}
	case "resource":
		m.declared[strings.Join(b.Labels, ".")] = true
	case "data", "module":
		m.declared[b.Type+"."+strings.Join(b.Labels, ".")] = true
	}
}

// refer notes the references of a body. Iterators are the names of the dynamic blocks around it.
func (m *root) refer(body *hclsyntax.Body, iterators []string) {
	for name, a := range body.Attributes {
		if name == "type" && len(a.Expr.Variables()) > 0 && len(iterators) == 0 && isType(a.Expr) {
			continue // The type of a variable
		}
		for _, v := range a.Expr.Variables() {
			m.use(v, iterators)
		}
	}
	for _, b := range body.Blocks {
		inner := iterators
		if b.Type == "dynamic" {
			inner = append(slices.Clone(iterators), b.Labels[0])
		}
		m.refer(b.Body, inner)
	}
}

// isType reports whether an expression is a type, such as string or map(object({…})).
func isType(e hclsyntax.Expression) bool {
	switch hcl.ExprAsKeyword(e) {
	case "string", "number", "bool", "any":
		return true
	}
	call, ok := e.(*hclsyntax.FunctionCallExpr)
	return ok && slices.Contains([]string{"list", "map", "set", "object", "tuple"}, call.Name)
}

func (m *root) use(v hcl.Traversal, iterators []string) {
	words := []string{v.RootName()}
	for _, step := range v[1:] {
		if attr, ok := step.(hcl.TraverseAttr); ok {
			words = append(words, attr.Name)
			continue
		}
		break
	}
	length := 2
	switch {
	case slices.Contains([]string{"each", "path"}, words[0]) || slices.Contains(iterators, words[0]):
		return
	case words[0] == "data":
		length = 3
	}
	address := strings.Join(words[:min(length, len(words))], ".")
	if m.referenced[address] = true; !m.declared[address] {
		m.unknown = append(m.unknown, address)
	}
}

// unused returns variables, locals and data that nothing refers to.
func (m *root) unused() (all []string) {
	for name := range m.declared {
		if !m.referenced[name] && regexp.MustCompile(`^(var|local|data)\.`).MatchString(name) {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

func TestTerraformIsFormatted(t *testing.T) {
	formatted := func(text []byte) bool { return string(hclwrite.Format(text)) == string(text) }
	require.False(t, formatted([]byte("a = 1\nlong = 2\n")))
	files := 0
	for _, pattern := range []string{"*.tf", "example/*.tf"} {
		found, err := filepath.Glob(filepath.Join(terraform, pattern))
		require.NoError(t, err)
		for _, name := range found {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			require.True(t, formatted(text), "%s: run terraform fmt", name)
			files++
		}
	}
	require.Greater(t, files, 7)
}

func TestTerraformRefersToWhatIsDeclared(t *testing.T) {
	for _, folder := range []string{terraform, terraform + "/example"} {
		m := parse(t, folder)
		require.Empty(t, m.unknown, folder)
		require.Empty(t, m.unused(), folder)
		require.Greater(t, len(m.referenced), 1, "are references still found?")
	}
}

// TestWrongReferencesAreFound has the first case as its control.
func TestWrongReferencesAreFound(t *testing.T) {
	const good = `
variable "a" {
  type = map(object({ b = string }))
}
resource "x" "y" {
  c = [for k, v in var.a : "${k}-${v.b}"]
  dynamic "d" {
    for_each = var.a
    content {
      e = d.value
    }
  }
}
output "z" {
  value = x.y["k"].id
}
`
	for change, want := range map[[2]string][2]string{
		{}:                       {"", ""},
		{"in var.a", "in var.b"}: {"var.b", ""},
		{"v.b}", "w.b}"}:         {"w.b", ""},
		{"d.value", "f.value"}:   {"f.value", ""},
		{"x.y[", "x.yy["}:        {"x.yy", ""},
		{"  value", "  d     = data.a.b\n  value"}: {"data.a.b", ""},
		{`output`, "locals {\n  l = 1\n}\noutput"}: {"", "local.l"},
	} {
		text := strings.Replace(good, change[0], change[1], 1)
		m, err := parseText(text)
		require.NoError(t, err, text)
		require.Equal(t, want, [2]string{strings.Join(m.unknown, " "), strings.Join(m.unused(), " ")}, text)
	}
}

// TestExampleSetsVariablesThatExist compares the example's arguments with the module's variables.
func TestExampleSetsVariablesThatExist(t *testing.T) {
	m := parse(t, terraform)
	set := example(t)
	for name := range set {
		require.True(t, m.declared["var."+name], "the module has no variable %s", name)
	}
	for _, b := range m.blocks {
		if b.Type == "variable" && b.Body.Attributes["default"] == nil {
			require.Contains(t, set, b.Labels[0], "the example lacks it")
		}
	}
	outputs := map[string]bool{}
	for _, b := range m.blocks {
		if b.Type == "output" {
			outputs[b.Labels[0]] = true
		}
	}
	for _, b := range parse(t, terraform+"/example").blocks {
		if b.Type == "output" {
			require.True(t, outputs[b.Labels[0]], "the module has no output %s", b.Labels[0])
			delete(outputs, b.Labels[0])
		}
	}
	require.Empty(t, outputs, "the example does not pass them on")
}

// TestPoliciesAreAttached wants each template to be attached to a role, with values for all its
// placeholders.
func TestPoliciesAreAttached(t *testing.T) {
	text, err := os.ReadFile(terraform + "/iam.tf")
	require.NoError(t, err)
	found, err := filepath.Glob(terraform + "/policies/*")
	require.NoError(t, err)
	require.Len(t, found, 6)
	attached := map[string]bool{}
	for _, list := range regexp.MustCompile(`policies\s+= (.*)`).FindAllStringSubmatch(string(text), -1) {
		for _, name := range regexp.MustCompile(`"(\w+)"`).FindAllStringSubmatch(list[1], -1) {
			attached[name[1]] = true
		}
	}
	require.Len(t, attached, len(found))
	for _, file := range found {
		require.True(t, attached[strings.TrimSuffix(filepath.Base(file), ".json.tftpl")], "no role has %s", file)
		policy, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, name := range regexp.MustCompile(`\$\{(\w+)\}`).FindAllStringSubmatch(string(policy), -1) {
			require.Regexp(t, `(?m)^    `+name[1]+` += jsonencode`, string(text), "no value for ${%s}", name[1])
		}
	}
}
