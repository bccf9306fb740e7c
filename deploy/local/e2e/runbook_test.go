package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/tools"
)

// elsewhere are the beginnings of the runbook's commands that the local stack can't run, with the reason.
func elsewhere() map[string]string {
	return map[string]string{
		"export ":               "it sets the variables that this test sets",
		"systemctl ":            "the local stack has no units",
		"aws ":                  "the AWS CLI is no part of the local stack",
		"cloud-mirror savings ": "it needs a Prometheus",
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
	temporal, err := tools.Tools{Root: "../../.."}.Temporal(t.Context())
	require.NoError(t, err)
	temporal, err = filepath.Abs(temporal)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(temporal, filepath.Join(dir, "temporal")))
	require.NoError(t, os.Symlink(sys.Binary(), filepath.Join(dir, "cloud-mirror")))
	t.Chdir(dir) // The commands save files.
	for name, value := range map[string]string{
		"PATH": dir + ":" + os.Getenv("PATH"), "CLOUD_MIRROR_SERVER": sys.FrontEndURLs()[0], "CLOUD_MIRROR_CONFIG": sys.ConfigPath(),
		"CLOUD_MIRROR_TOKEN": stack.PurgeToken, "LEAKED": strings.Repeat("x", 43), "REDIS_URL": sys.RedisURL(),
		"ADMIN": sys.AdminURL("frontend-1"),
	} {
		t.Setenv(name, value)
	}
	r := redis.NewClient(&redis.Options{Addr: sys.RedisAddr()})
	t.Cleanup(func() {
		_ = r.ConfigSet(background(t), "maxmemory-policy", "noeviction").Err()
		_ = r.Close()
	})
	workflow := strings.TrimSpace(mustOperate(t, "workflow-id", "-r", west, failing))
	var letter string
	eventually(t, func() bool {
		line, _, _ := strings.Cut(mustOperate(t, "dead", "list", "--json"), "\n")
		var d struct{ ID string }
		_ = json.Unmarshal([]byte(line), &d)
		letter = d.ID
		return letter != ""
	}, "the message is a dead letter")

	digest := fmt.Sprintf("%x", sha256.Sum256(s.body))
	wants := map[string]string{ // The beginning of a command, and a part of its output
		"cloud-mirror get ": digest,
		"curl -sL ":         digest,
		"cloud-mirror copies list --status Failed": workflow,
		"cloud-mirror copies list --since":         workflow,
		"cloud-mirror copies show ID":              "for GET at host " + strings.TrimPrefix(gone.URL, "http://"),
		"cloud-mirror copies retry --class Source": workflow,
		"cloud-mirror copies retry --region ":      workflow,
		"cloud-mirror dead list":                   letter,
		"cloud-mirror dead show":                   letter,
		"cloud-mirror bypass list":                 "other.example.com",
		`redis-cli -u "$REDIS_URL" ping`:           "PONG",
		`redis-cli -u "$REDIS_URL" info`:           "evicted_keys:",
		`redis-cli -u "$REDIS_URL" config get`:     "maxmemory-policy",
		`redis-cli -u "$REDIS_URL" config set`:     "OK",
		"TOKEN=":                                   "  -",
		"curl -s -w":                               "401",
		`curl -s "$ADMIN/metrics"`:                 "cloud_mirror_",
		"cloud-mirror copy ":                       "result",
		"temporal operator namespace create":       "successfully registered",
	}
	run := map[string]int{}
	var last string
	requested := false
	for _, block := range regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```$").FindAllStringSubmatch(string(page), -1) {
	commands:
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			for start := range elsewhere() {
				if strings.HasPrefix(line, start) {
					continue commands
				}
			}
			id := workflow
			if strings.HasPrefix(line, "cloud-mirror dead ") {
				id = letter
			}
			command := strings.NewReplacer("https%3A%2F%2Fexample.com%2Fa.zip", url.QueryEscape(object),
				"https://example.com/a.zip", "'"+object+"'", " ID", " '"+id+"'", "big.example.com",
				strings.TrimPrefix(gone.URL, "http://"), "example.com", "other.example.com", "NAMESPACE", "runbook-"+filepath.Base(dir),
				"SourceUnreachable", "BadHTTPStatus-410").Replace(line)
			if regexp.MustCompile(`^cloud-mirror copies (retry|cancel) --`).MatchString(line) {
				command += " --host " + strings.TrimPrefix(gone.URL, "http://") // Not the copies of other tests.
			}
			cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", command)
			cmd.Env = append(append(os.Environ(), sys.Env()...), settings()...)
			out, err := cmd.CombinedOutput()
			last = string(out)
			require.NoError(t, err, "%s: %s", line, last)
			require.NotContains(t, last, secret)
			for start, want := range wants {
				if strings.HasPrefix(line, start) {
					require.Contains(t, last, want, line)
					run[start]++
				}
			}
			run[""]++
			if strings.HasPrefix(line, "cloud-mirror status") && !requested { // Purged above, and requested again by nobody.
				requested = true
				requireCopy(t, s, west, ask(t, west, object, ""))
			}
		}
	}
	require.Greater(t, run[""], 40)
	require.Len(t, run, len(wants)+1, "outputs that were compared: %v", run)
	require.Contains(t, last, "present", "the last status")
	for _, host := range []string{strings.TrimPrefix(gone.URL, "http://"), "other.example.com"} {
		mustOperate(t, "bypass", "remove", "--host", host)
	}
	eventually(t, func() bool { return ask(t, west, object, "").isCopy() }, "nothing is switched off at the end")
}
