package infra

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// token is a password of redis.
const token = "0123456789abcdefghijklmnopqrstuv"

// example returns the arguments of the example's module. The password comes from the environment.
func example(t *testing.T) map[string]cty.Value {
	t.Helper()
	set := map[string]cty.Value{}
	for _, b := range parse(t, terraform+"/example").blocks {
		if b.Type != "module" {
			continue
		}
		for name, a := range b.Body.Attributes {
			if name == "source" {
				continue
			}
			set[name] = evaluate(t, a.Expr, map[string]cty.Value{"redis_auth_token": cty.StringVal(token)}, nil)
		}
	}
	require.Greater(t, len(set), 4)
	return set
}

// evaluate returns the value of an expression of Terraform, with variables and other roots.
func evaluate(t *testing.T, e hcl.Expression, variables, roots map[string]cty.Value) cty.Value {
	t.Helper()
	values := map[string]cty.Value{"var": cty.ObjectVal(variables)}
	maps.Copy(values, roots)
	v, diags := e.Value(&hcl.EvalContext{Variables: values, Functions: map[string]function.Function{
		"can": tryfunc.CanFunc, "regex": stdlib.RegexFunc, "length": stdlib.LengthFunc, "keys": stdlib.KeysFunc,
		"contains": stdlib.ContainsFunc, "floor": stdlib.FloorFunc, "alltrue": allTrue(), "flatten": stdlib.FlattenFunc,
	}})
	require.False(t, diags.HasErrors(), diags.Error())
	return v
}

// allTrue is Terraform's function of that name.
func allTrue() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for it := args[0].ElementIterator(); it.Next(); {
				if _, v := it.Element(); v.False() {
					return cty.False, nil
				}
			}
			return cty.True, nil
		},
	})
}

// variables returns the module's variables with the example's values, and defaults for the others.
func variables(t *testing.T, m *root) map[string]cty.Value {
	t.Helper()
	values := example(t)
	for _, b := range m.blocks {
		if b.Type != "variable" {
			continue
		}
		if _, set := values[b.Labels[0]]; !set {
			values[b.Labels[0]] = evaluate(t, b.Body.Attributes["default"].Expr, nil, nil)
		}
		typ, defaults, diags := typeexpr.TypeConstraintWithDefaults(b.Body.Attributes["type"].Expr)
		require.False(t, diags.HasErrors(), diags.Error())
		value := values[b.Labels[0]]
		if defaults != nil {
			value = defaults.Apply(value)
		}
		typed, err := convert.Convert(value, typ)
		require.NoError(t, err, b.Labels[0])
		values[b.Labels[0]] = typed
	}
	return values
}

// refusals returns the variables that refuse their values.
func refusals(t *testing.T, m *root, values map[string]cty.Value) (refused []string) {
	t.Helper()
	for _, b := range m.blocks {
		if b.Type != "variable" {
			continue
		}
		for _, rule := range b.Body.Blocks {
			require.Equal(t, "validation", rule.Type)
			message := evaluate(t, rule.Body.Attributes["error_message"].Expr, nil, nil).AsString()
			require.Contains(t, message, b.Labels[0])
			if evaluate(t, rule.Body.Attributes["condition"].Expr, values, nil).False() {
				refused = append(refused, b.Labels[0])
			}
		}
	}
	return refused
}

// TestEndpointsCanBeLeftOut has networks with an endpoint of their own.
func TestEndpointsCanBeLeftOut(t *testing.T) {
	m := parse(t, terraform)
	values := variables(t, m)
	require.True(t, values["networks"].Index(cty.StringVal("us-west-2")).GetAttr("s3_endpoint").True(), "the default")
	makes := func() int {
		for _, b := range m.blocks {
			if b.Type == "resource" && b.Labels[0] == "aws_vpc_endpoint" {
				return evaluate(t, b.Body.Attributes["for_each"].Expr, values, nil).LengthInt()
			}
		}
		return -1
	}
	all := values["networks"].AsValueMap()
	require.Equal(t, len(all), makes())
	network := all["us-west-2"].AsValueMap()
	network["s3_endpoint"] = cty.False
	all["us-west-2"] = cty.ObjectVal(network)
	values["networks"] = cty.MapVal(all)
	require.Equal(t, len(all)-1, makes())
}

// TestVariablesAreValidated has the example as its control.
func TestVariablesAreValidated(t *testing.T) {
	m := parse(t, terraform)
	require.Empty(t, refusals(t, m, variables(t, m)), "the example")
	text, number := cty.StringVal, cty.NumberFloatVal
	list := func(s ...string) cty.Value {
		all := []cty.Value{}
		for _, one := range s {
			all = append(all, text(one))
		}
		if len(all) == 0 {
			return cty.ListValEmpty(cty.String)
		}
		return cty.ListVal(all)
	}
	network := variables(t, m)["networks"].Index(text("us-west-2"))
	for _, tc := range []struct {
		variable string
		value    cty.Value
	}{
		{"name", text("Cloud")},
		{"name", text("a_dead")},
		{"bucket_base", text("-x")},
		{"bucket_base", text("Upper")},
		{"networks", cty.MapValEmpty(network.Type())},
		{"networks", cty.MapVal(map[string]cty.Value{"us-west-2": network, "mars": network})},
		{"region", text("us-east-9")},
		{"redis_subnet_ids", list("subnet-1")},
		{"redis_auth_token", text("short")},
		{"redis_auth_token", text(token + "@host")},
		{"frontend_port", number(80)},
		{"frontend_admin_port", number(8080)},
		{"lifespan_days", number(-1)},
		{"lifespan_days", number(1.5)},
		{"source_objects", list("arn:aws:s3:::bucket")},
		{"operators", list()},
		{"operators", list("alice")},
		{"worker_admin_port", number(80)},
		{"oidc_providers", cty.MapVal(map[string]cty.Value{"oidc.eks.us-west-2.amazonaws.com/id/A": text("mirror")})},
		{"oidc_providers", cty.MapVal(map[string]cty.Value{provider: text("*")})},
	} {
		values := variables(t, m)
		values[tc.variable] = tc.value
		require.Contains(t, refusals(t, m, values), tc.variable, "%#v", tc.value)
	}
}

// provider is the OIDC provider of a cluster.
const provider = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-west-2.amazonaws.com/id/A"

// TestWhoMayAssumeARole reads the trust of each role. The chart runs setup with a service account, so
// that role trusts what runs pods. The operators' role does not.
func TestWhoMayAssumeARole(t *testing.T) {
	m := parse(t, terraform)
	values := variables(t, m)
	values["oidc_providers"] = cty.MapVal(map[string]cty.Value{provider: cty.StringVal("mirror")})
	roles := trusts(t)
	require.Equal(t, map[string][]string{
		"frontend": {"services"}, "bridge": {"services"}, "worker": {"services"}, "setup": {"operators", "services"}, "operator": {"operators"},
	}, roles)
	var trust *hclsyntax.Block
	for _, b := range m.blocks {
		if b.Type == "data" && b.Labels[1] == "trust" {
			trust = b
		}
	}
	require.Len(t, trust.Body.Blocks, 2, "statements for principals, and for OIDC providers")
	for role, trusted := range roles {
		list := []cty.Value{}
		for _, one := range trusted {
			list = append(list, cty.StringVal(one))
		}
		each := map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"value": cty.ObjectVal(map[string]cty.Value{"trust": cty.TupleVal(list)})})}
		statements := func(i int) int {
			return evaluate(t, trust.Body.Blocks[i].Body.Attributes["for_each"].Expr, values, each).LengthInt()
		}
		require.Equal(t, len(trusted), statements(0), role)
		require.Equal(t, slices.Contains(trusted, "services"), statements(1) == 1, role)
	}
}

// trusts returns what the roles of iam.tf trust.
func trusts(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(terraform + "/iam.tf")
	require.NoError(t, err)
	roles := map[string][]string{}
	for _, role := range regexp.MustCompile(`"?(\w+)(?:-\$\{region\}" =>| +=) \{\s+trust += \[(.*?)\]`).FindAllStringSubmatch(string(text), -1) {
		roles[role[1]] = strings.Split(strings.ReplaceAll(role[2], `"`, ""), ", ")
	}
	return roles
}

// TestAdminPortsAreReachable counts the rules that let Prometheus and the page for people in.
func TestAdminPortsAreReachable(t *testing.T) {
	m := parse(t, terraform)
	values := variables(t, m)
	networks := values["networks"].AsValueMap()
	for region, network := range networks {
		of := network.AsValueMap()
		of["monitoring_security_group_ids"] = cty.ListVal([]cty.Value{cty.StringVal("sg-" + region)})
		networks[region] = cty.ObjectVal(of)
	}
	values["networks"] = cty.MapVal(networks)
	rules := map[string]int{}
	for _, b := range m.blocks {
		if b.Type == "resource" && b.Labels[0] == "aws_vpc_security_group_ingress_rule" && strings.HasSuffix(b.Labels[1], "_monitoring") {
			rules[b.Labels[1]] = evaluate(t, b.Body.Attributes["for_each"].Expr, values, nil).LengthInt()
		}
	}
	require.Equal(t, map[string]int{"worker_monitoring": 2, "frontend_monitoring": 1}, rules)
}

// TestOutputsAreSettings has the product load the settings that the module writes for the example.
func TestOutputsAreSettings(t *testing.T) {
	m := parse(t, terraform)
	values, locals, outputs := variables(t, m), map[string]cty.Value{}, map[string]hclsyntax.Expression{}
	for _, b := range m.blocks {
		switch b.Type {
		case "locals":
			for name, a := range b.Body.Attributes {
				if len(a.Expr.Variables()) == 0 {
					locals[name] = evaluate(t, a.Expr, nil, nil)
				}
			}
		case "output":
			outputs[b.Labels[0]] = b.Body.Attributes["value"].Expr
		}
	}
	object := func(path, value string) cty.Value {
		v, words := cty.StringVal(value), strings.Split(path, ".")
		for _, word := range slices.Backward(words) {
			v = cty.ObjectVal(map[string]cty.Value{word: v})
		}
		return v
	}
	roots := map[string]cty.Value{
		"local":         cty.ObjectVal(locals),
		"aws_sqs_queue": object("requests.name", "cloud-mirror"),
		"data":          object("aws_caller_identity.current.account_id", "123456789012"),
		"aws_elasticache_replication_group": object("redis.primary_endpoint_address",
			"master.cloud-mirror.abc123.usw2.cache.amazonaws.com"),
	}
	settings := evaluate(t, outputs["settings"], values, roots)
	text, err := ctyjson.Marshal(settings, settings.Type())
	require.NoError(t, err)
	require.True(t, json.Valid(text))
	file := filepath.Join(t.TempDir(), "settings.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	redis := evaluate(t, outputs["redis_url"], values, roots).AsString()
	c, err := config.Load(file, []string{
		"CLOUD_MIRROR_REDIS_URL=" + redis, "CLOUD_MIRROR_SOURCE_ALLOWED=https://artifacts.example.com/",
		"CLOUD_MIRROR_SOURCE_QUERY_KEYS=" + key,
	})
	require.NoError(t, err, string(text))
	require.Len(t, c.Pools, 2)
	require.Equal(t, "example-mirror", c.S3.BucketBase)
	require.Equal(t, "0.0.0.0:8082", c.Worker.AdminListen)
	d := config.Default()
	require.Equal(t, d.SQS.VisibilityTimeout, c.SQS.VisibilityTimeout)
	require.Equal(t, d.SQS.MaxReceives, c.SQS.MaxReceives)
}

// key is a key that seals queries.
const key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

// TestTerraformAgreesWithSetup compares what both of them set with the constants of the product.
// Otherwise each would undo the other's work.
func TestTerraformAgreesWithSetup(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		return string(text)
	}
	constant := func(file, name string) string {
		m := regexp.MustCompile(`(?m)^\s*(?:const )?` + name + `\s+= (\S+)`).FindStringSubmatch(read("../../storage/" + file))
		require.NotNil(t, m, name)
		if text, err := strconv.Unquote(m[1]); err == nil {
			return text
		}
		return m[1]
	}
	buckets := read(terraform + "/buckets.tf")
	require.Contains(t, buckets, `"`+constant("lifecycle.go", "ruleExpire")+`"`)
	require.Contains(t, buckets, `"`+constant("lifecycle.go", "ruleAbort")+`"`)
	require.Regexp(t, `days_after_initiation = `+constant("lifecycle.go", "abortAfterDays")+`\n`, buckets)
	require.Contains(t, buckets, `"`+constant("cors.go", "ruleCORS")+`"`)
	require.Regexp(t, `max_age_seconds = `+constant("cors.go", "corsMaxAge")+`\n`, buckets)
	exposed := regexp.MustCompile(`ExposeHeaders: \[\]string\{\s+(.*?),\s+\}`).FindStringSubmatch(read("../../storage/cors.go"))
	require.NotNil(t, exposed)
	require.Regexp(t, `expose_headers  = \[`+regexp.QuoteMeta(exposed[1])+`\]`, buckets)
	queue := read(terraform + "/queue.tf")
	require.Contains(t, read("../../frontend/queue/setup.go"), "deadRetention = 14 * 24 * time.Hour")
	require.Contains(t, queue, "= 14 * 24 * 60 * 60\n")
	require.Contains(t, queue, `"${var.name}_dead"`)
	require.Regexp(t, `receive_wait_time_seconds  = 20\n`, queue)
	require.Regexp(t, `LongPoll += 20 \* time.Second`, read("../../frontend/queue/receiver.go"))
}
