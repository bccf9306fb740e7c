package permissions

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

// TestPoliciesAreWhatTheCodeNeeds runs every part of the product, and compares the calls of each role
// with its policies.
func TestPoliciesAreWhatTheCodeNeeds(t *testing.T) {
	r := newRig(t)
	r.setUp()
	frontend := r.config(&r.frontend, r.S3Endpoint(west))
	r.copier.Refuse = func(call Call, req *http.Request) bool {
		return call.Operation == "CopyObject" && strings.HasPrefix(req.Header.Get(copySource), "sources")
	}
	copier := r.config(&r.copier, r.S3Endpoint(west))
	operator := r.config(&r.operator, r.S3Endpoint(west))
	r.start("frontend", frontend, "frontend", 1)
	r.start("bridge", r.config(&r.bridge, r.S3Endpoint(west)), "worker --no-copy", 2)
	worker := r.start("copier", copier, "worker --no-bridge", 3)

	r.redirect(newSource(t, 1000).URL + "/small.bin")
	r.openPage(3, newSource(t, 1000).URL+"/unknown.bin")
	large := newSource(t, 30*mib)
	r.cancel(operator, large)
	r.resume(large, func() { worker.Stop(); require.NoError(t, worker.Start(t.Context())) })
	r.sweep()
	r.maintain(newSource(t, 1000).URL + "/old.bin")
	r.copyByServer()
	r.holdMessages(newSource(t, 1000).URL + "/held.bin")
	r.redrive(operator, newSource(t, 1000).URL+"/dead.bin")
	r.purge(operator, newSource(t, 1000).URL+"/purged.bin")

	as := map[string]string{bucket: "bucket", queue: "queue", queue + "_dead": "queue_dead", "sources": "source"}
	calls := map[string]bool{}
	for name, role := range map[string]struct {
		*Recorder
		policies []string
	}{
		"frontend": {&r.frontend, []string{"frontend"}}, "copier": {&r.copier, []string{"copier", "source"}},
		"bridge": {&r.bridge, []string{"bridge"}}, "setup": {&r.setup, []string{"setup"}}, "operator": {&r.operator, []string{"operator"}},
	} {
		allowed, err := Allowed(files(role.policies...)...)
		require.NoError(t, err)
		needs, unknown := role.Needs(as)
		require.NoError(t, errors.Join(unknown...), name)
		// Without it the HEAD of a missing source is a 403 instead of a 404, and it is not copied either way.
		needs = slices.DeleteFunc(needs, func(need string) bool { return need == "s3:ListBucket source" })
		require.Equal(t, needs, allowed, "what %s needs, and what its policies allow", name)
		for _, operation := range role.Operations() {
			calls[operation] = true
		}
	}
	source, err := ReadSource("../../..", "deploy/local", "deploy/bench")
	require.NoError(t, err)
	require.Equal(t, []string{"s3", "sqs"}, source.Services)
	for _, operation := range source.Operations {
		require.True(t, calls[operation], "no process called %s, which the source has", operation)
	}
	require.Len(t, calls, len(source.Operations), "calls without an input in the source: does ReadSource still find them?")
}

// setUp runs setup on versitygw, which has CORS rules and no lifecycle rules, and on MinIO, which has
// the reverse. Each is run a second time with other settings.
func (r *rig) setUp() {
	versity, minio := r.config(&r.setup, r.S3Endpoint(west)), r.config(&r.setup, r.MinIOEndpoint())
	r.mustCommand(versity, "setup")
	r.forget(queue + "_dead")
	r.mustCommand(versity, "setup", "CLOUD_MIRROR_S3_CORS=false", "CLOUD_MIRROR_SQS_VISIBILITY_TIMEOUT=40s")
	r.mustCommand(minio, "setup")
	r.mustCommand(minio, "setup", "CLOUD_MIRROR_S3_LIFESPAN_DAYS=0")
	r.mustCommand(versity, "setup")
}

// redirect requests an object, follows the redirects, and purges it.
func (r *rig) redirect(object string) {
	location := r.copied(object)
	status, err := get(r.t.Context(), location)
	require.NoError(r.t, err)
	require.Equal(r.t, http.StatusOK, status)
	_, location = r.ask(http.MethodHead, "redirect", object, "")
	require.Contains(r.t, location, "/"+bucket+"/")
	status, _ = r.ask(http.MethodDelete, "purge", object, "")
	require.Equal(r.t, http.StatusNoContent, status)
}

// openPage opens the page for people of a worker, and finds an object with its form. The calls of the
// page count as those of the worker.
func (r *rig) openPage(admin int, object string) {
	r.t.Helper()
	at := "http://" + r.address(admin)
	resp, err := http.Get(at + "/state")
	require.NoError(r.t, err)
	require.NotContains(r.t, body(r.t, resp), "did not answer")
	resp, err = http.PostForm(at+"/", url.Values{"url": {object}, "pool": {"s3_" + west}})
	require.NoError(r.t, err)
	require.Contains(r.t, body(r.t, resp), "absent")
}

// body returns the body of an answer, which must be 200.
func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(text))
	return string(text)
}

// cancel cancels a copy in parts. The worker then aborts its upload.
func (r *rig) cancel(operator string, large *source) {
	object, release := large.URL+"/cancelled.bin", large.hold()
	r.half(large, object)
	id := strings.TrimSpace(r.mustCommand(operator, "workflow-id -r "+west+" "+object))
	r.mustCommand(operator, "copies show "+id)
	r.mustCommand(operator, "copies cancel "+id)
	r.used(&r.copier, "AbortMultipartUpload")
	r.eventually(func() bool { return large.parts.Load() == 0 }, "the copy ends")
	release()
}

// half begins a copy in parts, and waits until a part is stored.
func (r *rig) half(large *source, object string) {
	r.eventually(func() bool {
		_, _ = r.ask(http.MethodGet, "redirect", object, "?max_wait=0")
		return large.parts.Load() > 0 && r.copier.Recorded("UploadPart")
	}, "a copy in parts")
}

// resume restarts the worker during a copy in parts.
func (r *rig) resume(large *source, restart func()) {
	object, release := large.URL+"/resumed.bin", large.hold()
	r.half(large, object)
	restart()
	release()
	r.copied(object)
	r.used(&r.copier, "ListParts")
}

func (r *rig) sweep() {
	run, err := r.temporal.ExecuteWorkflow(r.t.Context(), client.StartWorkflowOptions{ID: "sweep", TaskQueue: "copy-s3_" + west},
		"SweepUploads", map[string]any{"olderThan": 0})
	require.NoError(r.t, err)
	require.NoError(r.t, run.Get(r.t.Context(), nil))
}

// maintain audits a copy, refreshes it in the last quarter of its life, and finishes a purge of it.
func (r *rig) maintain(object string) {
	r.copied(object)
	r.send(queue, message("audit", object))
	r.age(object)
	r.send(queue, message("refresh", object))
	r.used(&r.copier, "CopyObject")
	r.send(queue, message("delete", object))
	r.used(&r.copier, "DeleteObject")
}

// copyByServer copies an object of another bucket of the server. The copy in one call is refused, so
// that it is copied in parts.
func (r *rig) copyByServer() {
	r.public("sources", "large.bin", 64*mib+1)
	r.copied(r.copierS3 + "/sources/large.bin")
	r.used(&r.copier, "UploadPartCopy")
}

// holdMessages has the bridge hold a message while Temporal is down.
func (r *rig) holdMessages(object string) {
	require.NoError(r.t, r.Stop("temporal"))
	r.send(queue, message("put", object))
	r.used(&r.bridge, "ChangeMessageVisibilityBatch")
	require.NoError(r.t, r.Resume("temporal"))
	r.copied(object)
}

// redrive has the bridge bury a message that is no request, and redrives a request.
func (r *rig) redrive(operator, object string) {
	r.send(queue, "junk")
	r.used(&r.bridge, "SendMessage")
	r.send(queue+"_dead", message("put", object))
	var id string
	for line := range strings.Lines(r.mustCommand(operator, "dead list")) {
		if strings.Contains(line, object) {
			id = strings.Fields(line)[0]
		}
	}
	require.NotEmpty(r.t, id)
	r.mustCommand(operator, "dead show "+id)
	r.mustCommand(operator, "dead redrive "+id)
	r.copied(object)
	r.mustCommand(operator, "status --server http://"+r.address(0)+" -r "+west+" "+object)
}

// purge copies an object, and purges all copies below its URL.
func (r *rig) purge(operator, object string) {
	r.copied(object)
	require.Contains(r.t, r.mustCommand(operator, "copies purge -r "+west+" --prefix "+object), "1 objects: 1 purged, 0 failed\n")
}

// TestPageListsThePolicies compares the table of the operators' page with the policies.
func TestPageListsThePolicies(t *testing.T) {
	page, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	roles := map[string][]string{
		"front end": {"frontend"}, "worker that copies": {"copier", "source"}, "bridge": {"bridge"}, "setup": {"setup"}, "operator": {"operator"},
	}
	on := map[string]string{
		"the buckets": "bucket", "the bucket of its region": "bucket", "their objects": "bucket/*", "its objects": "bucket/*",
		"objects that S3 is to copy by itself, if there are any": "source/*", "the queue": "queue", "the dead-letter queue": "queue_dead",
	}
	listed := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| ([^|]+) \\| ([^|]+) \\| (`s(?:3|qs):[^|]*) \\|$").FindAllStringSubmatch(string(page), -1) {
		require.Contains(t, on, row[2])
		for action := range strings.SplitSeq(row[3], ", ") {
			listed[row[1]] = append(listed[row[1]], strings.Trim(action, "`")+" "+on[row[2]])
		}
	}
	require.Len(t, listed, len(roles))
	for role, all := range listed {
		slices.Sort(all)
		allowed, err := Allowed(files(roles[role]...)...)
		require.NoError(t, err)
		require.Equal(t, allowed, all, role)
	}
}

// files returns the paths of policies.
func files(names ...string) (paths []string) {
	for _, name := range names {
		paths = append(paths, "../../terraform/policies/"+name+".json.tftpl")
	}
	return paths
}
