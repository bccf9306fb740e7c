package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// hostileRow is a URL that must lead to no connection besides those to the trusted source.
//
// The URL and location have placeholders:
//
//   - {id}: text that no other row and no other way has
//   - {ok}, {okTLS}: the trusted source
//   - {local}, {v6}, {meta}, {denied}: canaries
//   - {port}, {v6port}, {metaPort}, {deniedPort}: the ports of the canaries
//   - {listed}, {listedV6}, {listedMeta}, {listedDenied}: ports of further canaries at the same
//     addresses, which the allow-list names
type hostileRow struct {
	url string
	// listed has the allow-list name the URL's origin, or the URL in listing.
	listed  bool
	listing string
	want    verdict
	// cgo, if set, is the verdict with the C library's resolver.
	cgo *verdict
	// status and location are the redirect of the trusted source for the URL.
	status   int
	location string
	// own has the stack's own processes answer, which may dial all of 127.0.0.0/8.
	own bool
}

// verdict is the expected end of a row: a front end's answer, and the end of a message.
type verdict struct {
	status int
	code   string // In the front end's answer
	text   string // In the front end's answer, and in the reason of the dead letter
	// class is the class with which the copy fails. Without one, the URL reaches no workflow.
	class   string
	failure string // In the failure of the workflow
	copied  bool
}

// dead reports whether a message becomes a dead letter.
func (v verdict) dead() bool { return !v.copied && v.class == "" }

// notEncoded is the verdict of a text that is no URL with a scheme and an authority.
func notEncoded() verdict {
	return verdict{status: 400, code: "InputError", text: "url is not an absolute http or https url"}
}

// malformed is the verdict of a URL that is refused without a look at the allow-list.
func malformed(text string) verdict { return verdict{status: 403, code: "InvalidUrl", text: text} }

// badName is the verdict of a host that can't be a DNS name.
func badName(text string) verdict {
	return verdict{status: 400, code: "InputError", text: "url has a host " + text}
}

// notListed is the verdict of a URL that the allow-list does not name.
func notListed() verdict { return malformed("url is not on the list of allowed sources") }

// denied is the verdict of a URL that fails on its way, for a reason in the workflow's failure.
func denied(failure string) verdict {
	return verdict{status: 403, code: "InvalidUrl", class: "InvalidUrl", failure: failure}
}

// badAddress is the verdict of a listed host at an address that may not be dialled.
func badAddress() verdict { return denied("resolves to an address that is not allowed") }

// unresolved is the verdict of a listed host that does not resolve.
func unresolved() verdict {
	return verdict{status: 302, class: "SourceUnreachable", failure: "can't be resolved"}
}

// fromTrusted is the verdict of any spelling of a URL that leads to the trusted source.
func fromTrusted() verdict { return verdict{status: 302, copied: true} }

// trial is one row by one resolver.
type trial struct {
	row  hostileRow
	want verdict
	at   *hostileSystem
	name string
	// front and queued are the URLs by the front end and by the queue.
	front, queued string
	answers       [2]answer // To the percent-encoded form and to the base64 form
	failed        [2]error
}

func (h *hostileSystem) trial(n int, row hostileRow) *trial {
	tr := &trial{row: row, want: row.want, at: h}
	if h.resolver == "cgo" && row.cgo != nil {
		tr.want = *row.cgo
	}
	id := func(way string) string { return fmt.Sprintf("r%03d-%s-%s", n, h.resolver, way) }
	tr.front, tr.queued = h.world.fill(row.url, id("front")), h.world.fill(row.url, id("queue"))
	tr.name = strings.TrimSuffix(strings.ReplaceAll(fmt.Sprintf("%.60q", row.url), "/", "|"), "...")
	if row.status != 0 {
		tr.name = fmt.Sprintf("%d to %.60q", row.status, row.location)
		tr.name = strings.ReplaceAll(tr.name, "/", "|")
		for _, way := range []string{"front", "queue"} {
			h.trusted.redirect("/"+id(way), row.status, h.world.fill(row.location, id(way)))
		}
	}
	return tr
}

// message returns the message that requests the row's copy.
func (tr *trial) message() string {
	data := map[string]any{"id": "s3_" + tr.at.region(tr.row), "url": tr.queued, "action": "put"}
	body, _ := json.Marshal(map[string]any{"version": 1, "data": data})
	return string(body)
}

// checkFront checks both answers of the front end.
func (tr *trial) checkFront(t *testing.T) {
	t.Helper()
	for i, form := range []string{"percent-encoded", "base64"} {
		require.NoError(t, tr.failed[i], form)
		a := tr.answers[i]
		require.Equal(t, tr.want.status, a.status, "%s: %+v", form, a.body)
		require.Equal(t, tr.want.code, a.body.Err+a.body.Code, form)
		switch {
		case tr.want.copied:
			require.True(t, a.isCopy(), "%s: %+v", form, a.body)
			_, body, _ := fetch(t, a.location)
			require.True(t, strings.HasPrefix(string(body), "trusted /"), "%s: %.100q", form, body)
		case tr.want.dead() && tr.want.status == 400 && !strings.Contains(tr.front, "://"):
			require.Equal(t, "URL Must be URL Encoded!", a.body.Message, form)
		case tr.want.dead():
			require.Contains(t, a.body.Msg+a.body.Message, tr.want.text, form)
			require.Empty(t, a.location, form)
		default:
			require.False(t, a.isCopy(), form)
		}
	}
	tr.checkHop(t, tr.front)
	tr.checkFailure(t, tr.front)
}

// checkHop checks that the copy of a URL has reached the redirect of the trusted source.
func (tr *trial) checkHop(t *testing.T, object string) {
	t.Helper()
	if tr.row.status != 0 {
		u, err := url.Parse(object)
		require.NoError(t, err)
		require.Equal(t, 1, tr.at.trusted.count(u.Path), "requests for the redirect")
	}
}

// checkQueue checks the outcome of the message.
func (tr *trial) checkQueue(t *testing.T) {
	t.Helper()
	if tr.want.dead() {
		var reason string
		require.Eventually(t, func() (found bool) {
			reason, found = tr.at.deaths(tr.row).reason(tr.message())
			return found
		}, tr.at.patience(), pollStatus, "a dead letter")
		require.True(t, strings.HasPrefix(reason, "data.url: "), reason)
		require.Contains(t, reason, tr.want.text)
		return
	}
	if tr.want == unresolved() { // Its entry is forgotten soon
		tr.checkFailure(t, tr.queued)
		return
	}
	want := "error " + tr.want.class
	if tr.want.copied {
		want = "present "
	}
	var last string
	assert.Eventually(t, func() bool {
		last = tr.at.statusOf(t, tr.row, tr.queued)
		return last == want
	}, tr.at.patience(), pollStatus)
	require.Equal(t, want, last, "status")
	tr.checkHop(t, tr.queued)
	tr.checkFailure(t, tr.queued)
}

// checkFailure checks why the copy of a URL failed.
func (tr *trial) checkFailure(t *testing.T, object string) {
	t.Helper()
	if tr.want.failure == "" {
		return
	}
	object = strings.Replace(object, ".:", ":", 1) // The canonical host has no trailing dot
	run := waitClosed(t, tr.at.region(tr.row), object, 1, enums.WORKFLOW_EXECUTION_STATUS_FAILED)
	all := events(t, run)
	failure := all[len(all)-1].GetWorkflowExecutionFailedEventAttributes().GetFailure()
	require.Contains(t, failure.String(), tr.want.failure)
	require.Contains(t, failure.String(), tr.want.class)
}

// origins returns the scheme and authority of the listed rows, for the allow-list.
func (h *hostileSystem) origins(rows []hostileRow) (listed []string) {
	for _, row := range rows {
		if row.listing != "" {
			listed = append(listed, h.world.fill(row.listing, ""))
		}
		if !row.listed {
			continue
		}
		filled := h.world.fill(row.url, "")
		if row.status != 0 {
			filled = h.world.fill(row.location, "")
		}
		u, err := url.Parse(filled)
		if err == nil {
			listed = append(listed, u.Scheme+"://"+u.Host+"/")
		}
	}
	return listed
}
