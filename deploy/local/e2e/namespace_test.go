package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/tools"
)

// ownNamespace is a deployment in a Temporal namespace that only one test uses. It shares the servers of
// the stack, and has its own queue and its own keys in redis.
type ownNamespace struct {
	name, config string
	client       client.Client
	frontEnd     *process
}

func newOwnNamespace(t *testing.T) *ownNamespace {
	t.Helper()
	var id [6]byte
	_, _ = rand.Read(id[:])
	n := &ownNamespace{name: "own-" + hex.EncodeToString(id[:])}
	temporalCLI(t, "operator", "namespace", "create", "--namespace", n.name)
	n.config = editedConfig(t, func(c settingsTree) {
		c.set(t, "sqs.queue", n.name)
		c["redis"].(map[string]any)["prefix"] = hex.EncodeToString(id[:])
	})
	eventually(t, func() bool { // The servers of Temporal notice a new namespace after some seconds
		_, _, err := n.run(t, "setup")
		return err == nil
	}, "setup succeeds in the new namespace")
	var err error
	n.client, err = client.Dial(client.Options{HostPort: sys.TemporalAddress(), Namespace: n.name, Logger: quiet{}})
	require.NoError(t, err)
	t.Cleanup(n.client.Close)
	n.frontEnd = startProcess(t, n.name+"-frontend", sys.Binary(), []string{"frontend", "--config", n.config})
	return n
}

// run runs a command of the product in the namespace.
func (n *ownNamespace) run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), sys.Binary(), append(args, "--config", n.config)...)
	cmd.Env = append(append(append(os.Environ(), sys.Env()...), settings()...), "TEMPORAL_NAMESPACE="+n.name)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	require.NotContains(t, out.String()+errs.String(), secret)
	return out.String(), errs.String(), err
}

// worker starts a worker of west.
func (n *ownNamespace) worker(t *testing.T, name, flags string, variables ...string) *process {
	t.Helper()
	args := strings.Fields("worker --pool s3_" + west + " --config " + n.config + " " + flags)
	return startProcess(t, n.name+"-"+name, sys.Binary(), args, append(variables, "TEMPORAL_NAMESPACE="+n.name)...)
}

// ask requests a redirect to west.
func (n *ownNamespace) ask(t *testing.T, object, query string) answer {
	t.Helper()
	return do(t, http.MethodGet, n.frontEnd.redirectURL(west, object, query), "")
}

// runOf waits for the run of an object's copy.
func (n *ownNamespace) runOf(t *testing.T, object string) *workflowservice.DescribeWorkflowExecutionResponse {
	t.Helper()
	id := n.idOf(t, object)
	var out *workflowservice.DescribeWorkflowExecutionResponse
	eventually(t, func() (found bool) {
		var err error
		out, err = n.client.DescribeWorkflowExecution(t.Context(), id, "")
		return err == nil
	}, "the run exists")
	return out
}

func (n *ownNamespace) idOf(t *testing.T, object string) string {
	t.Helper()
	return strings.TrimSpace(mustOperate(t, "workflow-id", "-r", west, object))
}

// temporal runs the Temporal CLI in the namespace, and returns its output.
func (n *ownNamespace) temporal(t *testing.T, args ...string) (string, error) {
	t.Helper()
	program, err := tools.Tools{Root: "../../.."}.Temporal(t.Context())
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "TEMPORAL_ADDRESS="+sys.TemporalAddress(), "TEMPORAL_NAMESPACE="+n.name)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("temporal %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

func containsAll(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
