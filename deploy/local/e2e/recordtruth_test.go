package e2e

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// missingShape has an operator complete StreamCopy without a copy.
func missingShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	h := holdCopy(t)
	defer close(h.gate)
	h.act(t, "complete", "--result", "{}")
	return waitClosed(t, west, h.object, 1, failedStatus)
}

// operatorShape has an operator fail StreamCopy.
func operatorShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	h := holdCopy(t)
	defer close(h.gate)
	h.act(t, "fail", "--reason", "for the record")
	return waitClosed(t, west, h.object, 1, failedStatus)
}

// pausedShape has an operator pause StreamCopy for a while.
func pausedShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	h := holdCopy(t)
	h.excepts(auditor.Fetches, "a pause or a reset ends the attempt, and the next one reads again")
	h.act(t, "pause")
	eventually(t, func() bool { return h.pending(t).GetLastFailure() != nil }, "the attempt ends")
	close(h.gate)
	h.act(t, "unpause")
	requireCopy(t, h.source, west, ask(t, west, h.object, ""))
	return waitClosed(t, west, h.object, 1, completedStatus)
}

// timedOutShape has an operator cancel a copy, and freezes its worker until AbortUpload has timed
// out.
func timedOutShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	k := startKillable(t, central)
	_, object, gate := halfCopied(t, central)
	defer close(gate)
	at := k.s3.stop(object, callList, 0, false)
	w := workflows(t, central, object, 1)[0]
	require.NoError(t, sys.temporal.CancelWorkflow(t.Context(), w.GetExecution().GetWorkflowId(), ""))
	at.wait(t, "AbortUpload lists the uploads")
	k.signal(t, syscall.SIGSTOP)
	defer k.signal(t, syscall.SIGCONT)
	eventually(t, func() bool {
		for _, e := range events(t, w) {
			if e.GetEventType() == enums.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT {
				return true
			}
		}
		return false
	}, "AbortUpload times out")
	k.s3.release()
	k.signal(t, syscall.SIGCONT)
	return waitClosed(t, central, object, 1, canceledStatus)
}

// publicBucket is a public bucket beside the copies in west.
const publicBucket = "public-source"

// putPublic calls west's S3 server with a body, for the public bucket.
func putPublic(t *testing.T, key string, body []byte) (status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, sys.S3Endpoint(west)+"/"+publicBucket+key, bytes.NewReader(body))
	require.NoError(t, err)
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", payload)
	creds := aws.Credentials{AccessKeyID: stack.AccessKey, SecretAccessKey: stack.SecretKey}
	require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), creds, req, payload, "s3", west, time.Now()))
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	return resp.StatusCode
}

// serverShape copies an object that the pool's own S3 server has.
func serverShape(t *testing.T) *workflow.WorkflowExecutionInfo {
	t.Helper()
	putPublic(t, "", nil) // The bucket may exist
	require.Less(t, putPublic(t, "?policy", []byte(fmt.Sprintf(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/*"}]}`,
		publicBucket))), 300)
	body := make([]byte, 12*mib)
	_, _ = rand.Read(body)
	name := "/" + hex.EncodeToString(body[:8]) + "/file.bin"
	require.Equal(t, 200, putPublic(t, name, body))
	object := sys.S3Endpoint(west) + "/" + publicBucket + name
	a := ask(t, west, object, "")
	require.True(t, a.isCopy(), "%+v", a.body)
	_, got, _ := fetch(t, a.location)
	require.Equal(t, body, got)
	w := waitClosed(t, west, object, 1, completedStatus)
	require.Equal(t, "copied by the S3 server", activities(t, w)["StreamCopy"].result.Way)
	return w
}
