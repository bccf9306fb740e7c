package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/tools"
)

// codecToken has the scope codec, and purgeToken has not.
const (
	codecToken = "codec-token-0123456789-0123456789-abcdef"
	purgeToken = "purge-token-0123456789-0123456789-abcdef"
)

// encryption is a bridge and a copying worker that encrypt, in place of the stack's workers. The
// bridge has a codec server.
type encryption struct {
	variables []string // Of a worker that has the key
	keyID     string
	bridge    *process
	codec     string // URL
	ui        *httptest.Server
}

// startEncryption starts the bridge only.
func startEncryption(t *testing.T) *encryption {
	t.Helper()
	for _, w := range workers() {
		pause(t, w)
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	tokens := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte("e2e codec "+codecToken+"\nother purge "+purgeToken+"\n"), 0o600))
	e := &encryption{keyID: "2026-11"}
	e.startUI(t)
	e.variables = []string{"CLOUD_MIRROR_WORKER_PAYLOAD_KEYS=" + e.keyID + "=" + base64.StdEncoding.EncodeToString(key)}
	e.bridge = startProcess(t, "encrypting-bridge", sys.Binary(), strings.Fields("worker --no-copy --config "+sys.ConfigPath()),
		append(e.variables, "CLOUD_MIRROR_WORKER_CODEC_LISTEN=127.0.0.1:0", "CLOUD_MIRROR_WORKER_CODEC_TOKENS_FILE="+tokens,
			"CLOUD_MIRROR_WORKER_CODEC_ORIGIN="+e.ui.URL)...)
	for _, line := range e.bridge.logged(t) {
		var event struct{ Message, Listen string }
		if json.Unmarshal(line, &event) == nil && event.Message == "codec server listens" {
			e.codec = "http://" + event.Listen
		}
	}
	require.NotEmpty(t, e.codec)
	return e
}

// startUI starts a proxy of Temporal's Web UI. Its settings name the codec server, and it sets the
// cookie that the codec server gives to people. Browsers send cookies to all ports of a host.
func (e *encryption) startUI(t *testing.T) {
	t.Helper()
	target, err := url.Parse(sys.TemporalUIURL())
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(resp *http.Response) error {
		if resp.Request.URL.Path != "/api/v1/settings" {
			return nil
		}
		var settings map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&settings); err != nil {
			return err
		}
		settings["codec"] = map[string]any{"endpoint": e.codec, "passAccessToken": false, "includeCredentials": true}
		settings["Codec"] = map[string]any{"Endpoint": e.codec, "PassAccessToken": false, "IncludeCredentials": true}
		text, err := json.Marshal(settings)
		resp.Body = io.NopCloser(bytes.NewReader(text))
		resp.ContentLength = int64(len(text))
		resp.Header.Set("Content-Length", fmt.Sprint(len(text)))
		return err
	}
	e.ui = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Accept-Encoding")
		if r.URL.Path == "/login" {
			login, err := http.PostForm(e.codec+"/session", url.Values{"token": {codecToken}})
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadGateway)
				return
			}
			login.Body.Close()
			w.Header()["Set-Cookie"] = login.Header["Set-Cookie"]
			http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(e.ui.Close)
}

// temporal runs the Temporal CLI.
func (e *encryption) temporal(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	root, err := stack.FindRoot(".")
	require.NoError(t, err)
	program, err := tools.Tools{Root: root, Log: io.Discard}.Temporal(t.Context())
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, append(args, "--address", sys.TemporalAddress())...)
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// readable returns the text with the content of its payloads, which the CLI prints in base64.
func readable(text string) string {
	for _, m := range regexp.MustCompile(`"data": "([^"]*)"`).FindAllStringSubmatch(text, -1) {
		data, _ := base64.StdEncoding.DecodeString(m[1])
		text += string(data)
	}
	return text
}

// show prints a run as the CLI does, with a codec server if there is a token.
func (e *encryption) show(t *testing.T, w *workflow.WorkflowExecutionInfo, token string) (string, error) {
	t.Helper()
	args := []string{
		"workflow", "show", "-o", "json", "--workflow-id", w.GetExecution().GetWorkflowId(), "--run-id", w.GetExecution().GetRunId(),
	}
	if token != "" {
		args = append(args, "--codec-endpoint", e.codec, "--codec-auth", "Bearer "+token)
	}
	out, err := e.temporal(t, args...)
	return readable(out), err
}

// decode returns the status of the codec server's answer to a token.
func (e *encryption) decode(t *testing.T, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.codec+"/decode", strings.NewReader(`{"payloads":[]}`))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Namespace", "default")
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	resp.Body.Close()
	return resp.StatusCode
}

// failedTask returns the message of the first failed workflow task of a run, or "".
func failedTask(t *testing.T, w *workflow.WorkflowExecutionInfo) string {
	t.Helper()
	for _, e := range events(t, w) {
		if a := e.GetWorkflowTaskFailedEventAttributes(); a != nil {
			return a.GetFailure().GetMessage()
		}
	}
	return ""
}

// TestEncryptedHistories has a worker without the key run first, then one with the key. Nothing of
// the histories is readable without the codec server, except the texts that the operators' page
// lists.
func TestEncryptedHistories(t *testing.T) {
	e := startEncryption(t)
	keyless := startProcess(t, "keyless-worker", sys.Binary(),
		strings.Fields("worker --pool s3_"+west+" --no-bridge --config "+sys.ConfigPath()))
	s := newSource(t, 1000, nil)
	object := s.object()
	plain, _, _ := strings.Cut(object, "?")
	ask(t, west, object, "?max_wait=0")
	var failed string
	eventually(t, func() bool {
		failed = failedTask(t, workflows(t, west, object, 1)[0])
		return failed != ""
	}, "the worker without the key fails the task")
	require.Contains(t, failed, `a key that this process does not have: "`+e.keyID+`"`)
	require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_RUNNING, workflows(t, west, object, 1)[0].GetStatus())
	require.Positive(t, metricAt(t, "cloud_mirror_undecodable_payloads_total", "http://"+keyless.admin))
	require.Contains(t, string(bytes.Join(keyless.logged(t), nil)), "payload not decrypted: see worker.payload_keys")
	require.Zero(t, s.count(http.MethodGet))
	keyless.terminate(t)

	copying := startProcess(t, "encrypting-worker", sys.Binary(),
		strings.Fields("worker --pool s3_"+west+" --no-bridge --config "+sys.ConfigPath()), e.variables...)
	copied := waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	requireCopy(t, s, west, ask(t, west, object, ""))
	require.Equal(t, 1, s.count(http.MethodGet))

	var exists atomic.Bool
	gone := newSource(t, 1000, func(s *source, w http.ResponseWriter, r *http.Request, _ int) {
		if !exists.Load() {
			http.NotFound(w, r)
			return
		}
		s.serveObject(w, r)
	})
	missing := gone.object()
	require.Equal(t, http.StatusNotFound, ask(t, west, missing, "").status)
	failedRun := waitClosed(t, west, missing, 1, enums.WORKFLOW_EXECUTION_STATUS_FAILED)

	for run, texts := range map[*workflow.WorkflowExecutionInfo][]string{
		copied: {plain, "sealedQuery"}, failedRun: {gone.URL + "/", "Unexpected HTTP Status: 404"},
	} {
		cipher, err := e.show(t, run, "")
		require.NoError(t, err, cipher)
		clear, err := e.show(t, run, codecToken)
		require.NoError(t, err, clear)
		for _, text := range texts {
			require.Contains(t, clear, text, "the control")
			require.NotContains(t, cipher, text)
		}
		raw := fmt.Sprint(events(t, run))
		for _, text := range []string{"http://", "sealedQuery", "Unexpected HTTP Status"} {
			require.NotContains(t, raw, text)
		}
		require.Contains(t, raw, e.keyID)
		require.NotContains(t, clear, secret)
	}
	for token, status := range map[string]int{codecToken: 200, "wrong-token": 401, purgeToken: 403} {
		require.Equal(t, status, e.decode(t, token), token)
	}
	// The CLI repeats the call, and gives up.
	wrong, err := e.show(t, copied, "wrong-token")
	require.Error(t, err)
	require.NotContains(t, wrong, plain)
	raw := fmt.Sprint(events(t, failedRun))
	require.NotContains(t, raw, ".go:", "a stack trace")
	require.Contains(t, fmt.Sprint(events(t, copied)), ".go:", "the control: of the worker that does not encrypt")
	require.Contains(t, raw, "Encoded failure")
	require.Contains(t, raw, "BadHTTPStatus", "the type of the failure")

	// Search attributes remain, and so do the commands of the README.
	query := fmt.Sprintf("MirrorHost = '%s' AND MirrorErrorClass STARTS_WITH 'BadHTTPStatus'", gone.Listener.Addr())
	count, err := sys.temporal.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Namespace: "default", Query: query})
	require.NoError(t, err)
	require.EqualValues(t, 1, count.GetCount())
	exists.Store(true)
	out, err := e.temporal(t, "workflow", "reset", "--type", "FirstWorkflowTask", "--reason", "mended",
		"--workflow-id", failedRun.GetExecution().GetWorkflowId())
	require.NoError(t, err, out)
	waitClosed(t, west, missing, 2, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	requireCopy(t, gone, west, ask(t, west, missing, ""))

	e.requireWebUI(t, copied, plain)
	for _, p := range []*process{e.bridge, copying, keyless} {
		log := string(bytes.Join(p.logged(t), nil))
		require.NotContains(t, log, codecToken)
		require.NotContains(t, log, strings.SplitN(e.variables[0], "=", 3)[2])
	}
}

// requireWebUI has a browser open the page of a run. CM_TEST_SCREENSHOT names a file for a picture.
func (e *encryption) requireWebUI(t *testing.T, w *workflow.WorkflowExecutionInfo, text string) {
	t.Helper()
	page := "/namespaces/default/workflows/" + url.PathEscape(w.GetExecution().GetWorkflowId()) + "/" + w.GetExecution().GetRunId() + "/history"
	dom := ""
	eventually(t, func() bool {
		dom = e.browse(t, page)
		return strings.Contains(dom, text)
	}, "the Web UI shows the input")
	require.NotContains(t, dom, secret)
}

// browse returns the document of a page of the Web UI after its scripts have run.
func (e *encryption) browse(t *testing.T, page string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "chromium-") //nolint:usetesting // A dying process may still write into it.
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	args := []string{
		"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir=" + dir, "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-breakpad", "--no-proxy-server",
		"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--window-size=1400,1200",
		fmt.Sprintf("--virtual-time-budget=%d", (20 * time.Second).Milliseconds()), "--dump-dom",
	}
	if file := os.Getenv("CM_TEST_SCREENSHOT"); file != "" {
		args = append(args, "--screenshot="+file)
	}
	cmd := exec.CommandContext(ctx, browserPath(t), append(args, e.ui.URL+"/login?to="+url.QueryEscape(page))...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir}
	out, _ := cmd.Output() // The caller judges the document.
	return string(out)
}
