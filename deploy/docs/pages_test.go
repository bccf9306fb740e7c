package docs

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// pages are the pages that are checked, and how many Go names each names at least.
func pages() map[string]int {
	return map[string]int{
		"README.md": 0, "frontend/README.md": 15, "frontend/CLIENTS.md": 0, "workflows/README.md": 15, "deploy/README.md": 0,
		"deploy/REDIS.md": 0, "deploy/CAPACITY.md": 0, "deploy/RUNBOOK.md": 0, "deploy/AWS.md": 0, "deploy/UPGRADING.md": 0,
		"deploy/METRICS.md": 0, "deploy/OPERATORS.md": 0,
		".github/CONTRIBUTING.md": 0, ".github/SECURITY.md": 0, ".github/pull_request_template.md": 0, ".github/changes/README.md": 0,
	}
}

// foreign are names that have the form of ours: of other projects, and of settings that were
// renamed.
func foreign() []string {
	return []string{
		"temporal.toml", "workflow.GetVersion", "http/protobuf", "TEMPORAL_API_KEY", config.Default().Source.UserAgent,
		"worker.query_keys", "source.allowed_patterns", "frontend.purge_token",
	}
}

func readPage(t *testing.T, page string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(page)))
	require.NoError(t, err)
	return string(data)
}

func TestPagesNameNothingThatIsMissing(t *testing.T) {
	x := newIndex(t)
	for page, least := range pages() {
		t.Run(page, func(t *testing.T) {
			missing, names := x.check(page, readPage(t, page))
			require.Empty(t, missing)
			require.GreaterOrEqual(t, names, least, "too few Go names: does the check still find them?")
		})
	}
}

func TestCheckFindsWrongNames(t *testing.T) {
	x := newIndex(t)
	for wrong, right := range map[string]string{
		"`frontend.decode`":                       "`frontend.decide`",
		"`frontend.Server.Walk`":                  "`frontend.Server.Run`",
		"`frontent.decide`":                       "`frontend.decide()`",
		"`queue.Request.Pol`":                     "`queue.Request.Pool`",
		"`frontend.max_weight`":                   "`frontend.max_wait`",
		"`decide()`":                              "`activities.Activities.StreamCopy`",
		"`SteamCopy`":                             "`StreamCopy`",
		"`frontend/decode.go`":                    "`frontend/decide.go`",
		"`fronted/`":                              "`frontend/`",
		"`decode.go`":                             "`decide.go`",
		"`cloud_mirror_redirect_minutes`":         "`cloud_mirror_redirect_seconds`",
		"`cloud_mirror_a_total{result=\"x\"}`":    "`cloud_mirror_audits_total{result=\"x\"}`",
		"`CloudMirrorRedisIsSad`":                 "`CloudMirrorRedisDoesNotAnswer`",
		"`CLOUD_MIRROR_FRONTEND_MAX_WEIGHT`":      "`CLOUD_MIRROR_FRONTEND_MAX_WAIT`",
		"`FRONTEND_PROT`":                         "`FRONTEND_PORT`",
		"`make chek`":                             "`make check`",
		"```sh\nmake chek\n```":                   "```sh\nmake check   # all\n```",
		"```sh\nA=b make chek\n```":               "```sh\nA=b make check\n```",
		"`go test ./deploy/confg -update`":        "`go test ./deploy/config -update`",
		"```sh\ngo test ./e3e\n```":               "```sh\ngo test ./e2e ./cache/...\n```",
		"`go test -run TestREADMEIsLong ./cache`": "`go test -run TestREADMEIsShort ./cache`",
		"```mermaid\na --> b[cache.Absend]\n```":  "```mermaid\na --> b[cache.Absent]\n```",
		"```mermaid\na --> b[SteamCopy]\n```":     "```mermaid\na --> b[StreamCopy]\n```",
		"[x](frontend/README)":                    "[x](deploy/README.md)",
		"[x](deploy/README.md#sittings)":          "[x](deploy/README.md#settings)",
	} {
		missing, _ := x.check("README.md", "See\n"+wrong+"\n")
		require.Len(t, missing, 1, wrong)
		missing, _ = x.check("README.md", "See\n"+right+"\n")
		require.Empty(t, missing, right)
	}
}

var (
	fence   = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")
	span    = regexp.MustCompile("`([^`\n]+)`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	dotted  = regexp.MustCompile(`^[a-zA-Z]\w*(\[\])?(\.\w+)+$`)
	inChart = regexp.MustCompile(`\b[a-z]\w*(\.[a-zA-Z]\w*)+`)
	made    = regexp.MustCompile(`(?m)^(?:\w+=\S+ )*make ([\w./-]+)`)
	tested  = regexp.MustCompile(`-run (\w+)`)
	pkgPath = regexp.MustCompile(`(?m)(?:^|\s)\./(\w[\w/-]*)`)
	camel   = regexp.MustCompile(`^[A-Z][a-z]+[A-Z]\w*$`)
	camels  = regexp.MustCompile(`\b[A-Z][a-z]+[A-Z]\w*\b`)
	upper   = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$`)
	call    = regexp.MustCompile(`^\w+$`)
	isPath  = regexp.MustCompile(`^[\w.][\w.-]*(/[\w.-]+)*/?$`)
	isFile  = regexp.MustCompile(`\.(go|md|json|ya?ml|sh|mod)$`)
)

// check returns a line for each name in the page that does not exist, and how many Go names do.
func (x *index) check(page, text string) (missing []string, names int) {
	report := func(format string, args ...any) { missing = append(missing, page+": "+fmt.Sprintf(format, args...)) }
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		switch block[1] {
		case "sh":
			for _, m := range made.FindAllStringSubmatch(block[2], -1) {
				if !x.targets[m[1]] {
					report("no make target %s", m[1])
				}
			}
			for _, name := range x.wrongIn(block[2]) {
				report("no %s (in a command)", name)
			}
		case "mermaid":
			for _, name := range slices.Concat(inChart.FindAllString(block[2], -1), camels.FindAllString(block[2], -1)) {
				if !x.knows(page, name) {
					report("no %s (in a chart)", name)
				}
			}
		}
	}
	text = fence.ReplaceAllString(text, "")
	for _, m := range span.FindAllStringSubmatch(text, -1) {
		name, isCall := strings.CutSuffix(m[1], "()")
		pkg, _, _ := strings.Cut(name, ".")
		for _, wrong := range x.wrongIn(name) {
			report("no %s (in a command)", wrong)
		}
		switch {
		case isCall && call.MatchString(name):
			report("%s(): name its package", name)
		case !x.knows(page, name):
			report("no %s", name)
		case dotted.MatchString(name) && x.names[pkg] != nil && !x.settings[name] && !isFile.MatchString(name):
			names++
		}
	}
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		if !x.leads(page, m[1]) {
			report("no %s", m[1])
		}
	}
	return missing, names
}

// knows reports whether a code span names something that exists, or has none of the checked forms.
func (x *index) knows(page, name string) bool {
	make := made.FindStringSubmatch(name)
	switch {
	case slices.Contains(foreign(), name) || x.settings[name]:
		return true
	case make != nil:
		return x.targets[make[1]]
	case strings.HasPrefix(name, "cloud_mirror_"):
		metric, _, _ := strings.Cut(name, "{")
		return x.words[metric]
	case upper.MatchString(name): // an environment variable
		literal := regexp.MustCompile(`"` + name + `["=]`)
		return literal.MatchString(x.source) || strings.Contains(config.Table(), "`"+name+"`")
	case camel.MatchString(name):
		return x.words[name]
	case dotted.MatchString(name) && !isFile.MatchString(name):
		pkg, rest, _ := strings.Cut(name, ".")
		return x.names[pkg][rest]
	case isPath.MatchString(name) && (strings.Contains(name, "/") || isFile.MatchString(name)):
		return x.exists(page, name)
	default:
		return true
	}
}

// wrongIn returns the packages and tests in a command that do not exist. A package may be relative
// to any folder.
func (x *index) wrongIn(command string) (wrong []string) {
	for _, m := range pkgPath.FindAllStringSubmatch(command, -1) {
		name := strings.Trim(m[1], "/")
		if !slices.ContainsFunc(x.files, func(f string) bool { return f == name || strings.HasSuffix(f, "/"+name) }) {
			wrong = append(wrong, "./"+name)
		}
	}
	for _, m := range tested.FindAllStringSubmatch(command, -1) {
		if !x.words[m[1]] {
			wrong = append(wrong, m[1])
		}
	}
	return wrong
}

// exists reports whether a path exists, relative to the root or to the page. A bare file name may
// be anywhere.
func (x *index) exists(page, name string) bool {
	if strings.HasPrefix(name, ".local") || strings.HasPrefix(name, ".cache") {
		return true // made by make run and make build
	}
	name = strings.TrimSuffix(name, "/")
	for _, candidate := range []string{path.Clean(name), path.Join(path.Dir(page), name)} {
		if slices.Contains(x.files, candidate) {
			return true
		}
	}
	return !strings.Contains(name, "/") && slices.ContainsFunc(x.files, func(f string) bool { return path.Base(f) == name })
}

// leads reports whether a relative link leads to a file, and to a heading of it if it names one.
func (x *index) leads(page, to string) bool {
	if strings.Contains(to, "://") {
		return true
	}
	name, heading, _ := strings.Cut(to, "#")
	file := page
	if name != "" {
		file = path.Join(path.Dir(page), name)
	}
	if !slices.Contains(x.files, file) {
		return false
	}
	if heading == "" {
		return true
	}
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	return err == nil && slices.Contains(anchors(string(data)), heading)
}

// anchors returns the anchors that GitHub gives to the headings of a page.
func anchors(text string) (all []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		anchor := regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(anchor, " ", "-"))
	}
	return all
}

// TestConfigurationsLoad loads every YAML block of the pages as a configuration.
func TestConfigurationsLoad(t *testing.T) {
	blocks := 0
	for page := range pages() {
		for _, block := range fence.FindAllStringSubmatch(readPage(t, page), -1) {
			if block[1] != "yaml" {
				continue
			}
			blocks++
			file := filepath.Join(t.TempDir(), "cloud-mirror.yaml")
			require.NoError(t, os.WriteFile(file, []byte(block[2]), 0o600))
			_, err := config.Load(file, nil)
			require.NoError(t, err, page)
		}
	}
	require.Positive(t, blocks)
}

// TestOperatorsPageShowsEveryPicture compares the pictures with the page in both directions.
func TestOperatorsPageShowsEveryPicture(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "deploy", "pictures", "*.png"))
	require.NoError(t, err)
	var have, shown []string
	for _, file := range files {
		info, err := os.Stat(file)
		require.NoError(t, err)
		require.Less(t, info.Size(), int64(150_000), file)
		have = append(have, "pictures/"+filepath.Base(file))
	}
	for _, m := range regexp.MustCompile(`!\[[^\]]+\]\(([^)]+)\)`).FindAllStringSubmatch(readPage(t, "deploy/OPERATORS.md"), -1) {
		shown = append(shown, m[1])
	}
	slices.Sort(shown)
	require.NotEmpty(t, have)
	require.Equal(t, have, shown)
}

func TestREADMEIsShort(t *testing.T) {
	require.LessOrEqual(t, strings.Count(readPage(t, "README.md"), "\n"), 200)
}

// TestMetricsPageListsAllMetrics compares the table with the code in both directions. An end-to-end
// test compares the types and labels.
func TestMetricsPageListsAllMetrics(t *testing.T) {
	unique := func(expression, text string) (names []string) {
		for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	code := unique(`Name:\s+"(cloud_mirror_\w+)"`, newIndex(t).source)
	require.Greater(t, len(code), 10)
	require.Equal(t, code, unique("(?m)^\\| `(cloud_mirror_\\w+)` \\|", readPage(t, "deploy/METRICS.md")))
}

func TestOperatorsPageListsErrorClasses(t *testing.T) {
	x, page := newIndex(t), readPage(t, "deploy/OPERATORS.md")
	classes := regexp.MustCompile(`(?m)^\s+Class\w+(?:\s+Class)?\s+= "(\w+)"`).FindAllStringSubmatch(x.source, -1)
	require.Greater(t, len(classes), 15)
	for _, m := range classes {
		require.Contains(t, page, "`"+m[1]+"`")
	}
}

func TestChangesHaveATitleWithItsKind(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, ".github", "changes", "*"))
	require.NoError(t, err)
	require.Greater(t, len(files), 1)
	title := regexp.MustCompile(`^(Bugfix|Change|Enhancement|Security): .*[^.]\n\n\S`)
	for _, file := range files {
		if filepath.Base(file) == "README.md" {
			continue
		}
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Regexp(t, title, string(data), file)
	}
}

// TestPagesNameNothingThatIsMissing accepts any identifier. Rows of the security page name
// functions.
func TestSecurityPageNamesTests(t *testing.T) {
	exists := map[string]bool{}
	for _, f := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(\w+ \*testing\.[TF]\)`).FindAllStringSubmatch(newIndex(t).source, -1) {
		exists[f[1]] = true
	}
	check := func(page string) (rows, tests int, wrong []string) {
		for _, row := range regexp.MustCompile(`(?m)^\| .* \| (.*) \|$`).FindAllStringSubmatch(page, -1) {
			if row[1] == "test" {
				continue
			}
			names := span.FindAllStringSubmatch(row[1], -1)
			if len(names) == 0 {
				wrong = append(wrong, row[0])
			}
			for _, name := range names {
				if !exists[name[1]] {
					wrong = append(wrong, name[1])
				}
			}
			rows, tests = rows+1, tests+len(names)
		}
		return rows, tests, wrong
	}
	rows, tests, wrong := check(readPage(t, ".github/SECURITY.md"))
	require.Empty(t, wrong)
	require.Greater(t, rows, 50)
	require.Greater(t, tests, 100)
	_, _, wrong = check("| a | b | test |\n|---|---|---|\n| a | b | `TestNoSuchTest`, `newIndex`, `TestSecurityPageNamesTests` |\n| a | b | – |\n")
	require.Equal(t, []string{"TestNoSuchTest", "newIndex", "| a | b | – |"}, wrong)
}

// TestEachEntryOfTheRunbookHasCommands also wants them to be whole lines, which an end-to-end test runs.
func TestEachEntryOfTheRunbookHasCommands(t *testing.T) {
	entries := strings.Split(readPage(t, "deploy/RUNBOOK.md"), "\n## ")[1:]
	require.Greater(t, len(entries), 10)
	for _, entry := range entries {
		title, text, _ := strings.Cut(entry, "\n")
		require.Regexp(t, "(?m)^ *```sh$", text, title)
	}
}
