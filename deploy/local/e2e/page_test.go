package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/chromium"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// TestPageForPeople fills in the form in a real browser: for a copy, and for a copy that failed.
func TestPageForPeople(t *testing.T) {
	s := newSource(t, 1000, nil)
	object := s.object()
	requireCopy(t, s, west, ask(t, west, object, ""))
	gone := newSource(t, 1000, func(_ *source, w http.ResponseWriter, r *http.Request, _ int) { http.NotFound(w, r) })
	missing := gone.object()
	require.Equal(t, http.StatusNotFound, ask(t, west, missing, "").status)
	failed := waitClosed(t, west, missing, 1, enums.WORKFLOW_EXECUTION_STATUS_FAILED)

	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	page, stop, err := chromium.Start(ctx)
	require.NoError(t, err)
	defer stop()
	base := sys.AdminURL(stack.WorkerName(west))
	do := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		require.NoError(t, chromedp.Do(page, steps...))
	}
	get := func(what chromedp.Action[string]) string {
		t.Helper()
		value, err := chromedp.Run(page, what)
		require.NoError(t, err)
		return value
	}
	requireFits := func() {
		t.Helper()
		for _, width := range []int64{1280, 400} {
			do(chromedp.EmulateViewport(width, 900))
			overflow, err := chromedp.Run(page, chromedp.Evaluate[int](chromium.Overflow))
			require.NoError(t, err)
			require.Zero(t, overflow, "horizontal scroll at %d px", width)
		}
		do(chromedp.EmulateViewport(1280, 900))
	}
	find := func(object string) {
		t.Helper()
		do(chromedp.Navigate(base+"/"), chromedp.SendKeys(`input[name="url"]`, object), chromedp.SetValue(`select[name="pool"]`, "s3_"+west),
			chromedp.Click("button"), chromedp.WaitVisible("#found"))
		requireFits()
	}

	find(object)
	require.Equal(t, "present", get(chromedp.Text("#status")))
	require.Contains(t, get(chromedp.Text("#run")), "Completed")
	require.Equal(t, redirectURL(0, west, object, ""), get(chromedp.Text("#redirect")))
	find(missing)
	require.Contains(t, get(chromedp.Text("#status")), "error: BadHTTPStatus (HTTP status 404)")
	require.Contains(t, get(chromedp.Text("#run")), "Failed (BadHTTPStatus-404)")
	require.Contains(t, get(chromedp.Text("#found")), "cloud-mirror purge --server "+sys.FrontEndURLs()[0]+" --region us-west-2 '"+missing+"'")
	link := get(chromedp.JavascriptAttribute[string]("#workflow", "href"))
	require.NotContains(t, link, secret)
	require.NotContains(t, get(chromedp.Location()), secret)

	// The link leads to the run.
	do(chromedp.Navigate(link))
	get(chromedp.Poll[string](`document.body.innerText.includes(` + strconv.Quote(failed.GetExecution().GetRunId()) + `) && "shown"`))

	// The state refreshes itself, and the form is not emptied.
	const clock = `document.querySelector("iframe").contentDocument?.querySelector(".note")?.textContent`
	do(chromedp.Navigate(base+"/"), chromedp.SendKeys(`input[name="url"]`, "https://half-typed"))
	before := get(chromedp.Poll[string](clock))
	get(chromedp.Poll[string](clock + ` !== ` + strconv.Quote(before) + ` && ` + clock))
	require.Equal(t, "https://half-typed", get(chromedp.Value(`input[name="url"]`)))
	// A busy machine may take more than the second that the page gives to each process.
	state := "could not be read"
	for until := time.Now().Add(2 * time.Minute); strings.Contains(state, "could not be read") && time.Now().Before(until); {
		do(chromedp.Navigate(base + "/state"))
		state = get(chromedp.Text("body"))
	}
	requireFits()
	for _, want := range []string{"s3_us-west-2", "BadHTTPStatus", "Answered: Temporal, redis, SQS", "waiting clients"} {
		require.Contains(t, state, want)
	}
	require.NotContains(t, state, "unknown")

	logs, err := filepath.Glob(filepath.Join(sys.LogDir(), "worker-*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	for _, name := range logs {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NotContains(t, string(text), secret, name)
	}
}
