package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// elsewhere are the beginnings of the runbook's commands that the local stack can't run, with the reason.
func elsewhere() map[string]string {
	return map[string]string{
		"export ":                      "it sets the variables that this test sets",
		"curl ":                        "it reads the source without cloud-mirror",
		"aws ":                         "it deletes all dead letters of other tests",
		"temporal operator namespace ": "the local namespace exists",
		"cloud-mirror savings ":        "it needs a Prometheus",
	}
}

// TestRunbookCommands runs the commands of the runbook in their order. One object is copied, one fails, and
// a dead letter waits.
func TestRunbookCommands(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "RUNBOOK.md"))
	require.NoError(t, err)
	s := newSource(t, 1000, nil)
	gone := newSource(t, 1000, func(_ *source, w http.ResponseWriter, _ *http.Request, _ int) { http.Error(w, "gone", http.StatusGone) })
	object, failing := s.object(), gone.object()
	requireCopy(t, s, west, ask(t, west, object, ""))
	require.Equal(t, http.StatusGone, ask(t, west, failing, "").status)
	waitClosed(t, west, failing, 1, enums.WORKFLOW_EXECUTION_STATUS_FAILED)
	sendMessage(t, "no copy request")
	t.Chdir(t.TempDir()) // The commands save files.
	t.Setenv("CLOUD_MIRROR_SERVER", sys.FrontEndURLs()[0])
	t.Setenv("CLOUD_MIRROR_TOKEN", stack.PurgeToken)
	t.Setenv("CLOUD_MIRROR_CONFIG", sys.ConfigPath())
	workflow := strings.TrimSpace(mustOperate(t, "workflow-id", "-r", west, failing))
	var letter string
	eventually(t, func() bool {
		line, _, _ := strings.Cut(mustOperate(t, "dead", "list", "--json"), "\n")
		var d struct{ ID string }
		_ = json.Unmarshal([]byte(line), &d)
		letter = d.ID
		return letter != ""
	}, "the message is a dead letter")

	run := 0
	for _, block := range regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```$").FindAllStringSubmatch(string(page), -1) {
	commands:
		for line := range strings.Lines(block[1]) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " &&")
			for start := range elsewhere() {
				if strings.HasPrefix(line, start) {
					continue commands
				}
			}
			arguments, ok := strings.CutPrefix(line, "cloud-mirror ")
			require.True(t, ok, "the test does not know %q", line)
			id := workflow
			if strings.HasPrefix(arguments, "dead ") {
				id = letter
			}
			arguments = strings.NewReplacer("https://example.com/a.zip", object, " ID", " "+id, "big.example.com",
				strings.TrimPrefix(s.URL, "http://"), "example.com", "other.example.com").Replace(arguments)
			// An argument in quotes has spaces.
			var args []string
			for _, a := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(arguments, -1) {
				args = append(args, strings.Trim(a, `"`))
			}
			if args[0] == "copies" && (args[1] == "retry" || args[1] == "cancel") && !strings.Contains(line, "ID") {
				args = append(args, "--host", strings.TrimPrefix(gone.URL, "http://")) // Not the copies of other tests.
			}
			out, err := operate(t, args...)
			require.NoError(t, err, "%s: %s", line, out)
			run++
			if args[0] == "status" { // Purged above, and requested again by nobody.
				requireCopy(t, s, west, ask(t, west, object, ""))
			}
		}
	}
	require.Greater(t, run, 20)
	for _, host := range []string{strings.TrimPrefix(s.URL, "http://"), "other.example.com"} {
		mustOperate(t, "bypass", "remove", "--host", host)
	}
	eventually(t, func() bool { return ask(t, west, object, "").isCopy() }, "nothing is switched off at the end")
}
