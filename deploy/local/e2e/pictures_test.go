package e2e

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflow/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/chromium"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// picturesEnv names the folder for the pictures of the operators' page: `make screenshots`.
const picturesEnv = "CM_TEST_PICTURES"

// maxPicture bounds the size of a picture, in bytes.
const maxPicture = 150_000

// camera takes pictures of pages.
type camera struct {
	t     *testing.T
	dir   string
	page  context.Context
	steps func(steps ...chromedp.Action[chromedp.Void])
	shoot func() []byte
}

func newCamera(t *testing.T) *camera {
	t.Helper()
	dir := os.Getenv(picturesEnv)
	if dir == "" {
		dir = t.TempDir()
	}
	page, stop, err := chromium.Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(stop)
	return &camera{t: t, dir: dir, page: page,
		steps: func(steps ...chromedp.Action[chromedp.Void]) {
			t.Helper()
			require.NoError(t, chromedp.Do(page, steps...))
		},
		shoot: func() []byte {
			t.Helper()
			picture, err := chromedp.Run(page, chromedp.CaptureScreenshot())
			require.NoError(t, err)
			return picture
		},
	}
}

// shown is the text of a page and of its frames, in which Temporal's Web UI shows details.
const shown = `[document, ...[...document.querySelectorAll("iframe")].map(f => f.contentDocument)]
	.map(d => d?.body?.innerText).join("\n")`

// text returns the text that a script returns.
func (c *camera) text(script string) string {
	c.t.Helper()
	text, err := chromedp.Run(c.page, chromedp.Evaluate[string](script))
	require.NoError(c.t, err)
	return text
}

// take stores a picture of the page that is shown, once the page has each of the texts and has loaded.
func (c *camera) take(name string, texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		c.steps(chromedp.Poll[chromedp.Void](shown + `.includes(` + strconv.Quote(text) + `)`))
	}
	c.steps(chromedp.Poll[chromedp.Void](`!` + shown + `.includes("Loading")`))
	picture, err := png.Decode(bytes.NewReader(c.shoot()))
	require.NoError(c.t, err)
	store(c.t, filepath.Join(c.dir, name+".png"), picture)
}

// store stores a picture in 256 colours.
func store(t *testing.T, file string, picture image.Image) {
	t.Helper()
	var small bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, paletted(picture)))
	require.Less(t, small.Len(), maxPicture, file)
	require.NoError(t, os.WriteFile(file, small.Bytes(), 0o600))
}

// workflow takes a picture of a run's history in Temporal's Web UI.
func (c *camera) workflow(name string, w *workflow.WorkflowExecutionInfo, texts ...string) {
	c.t.Helper()
	c.tab(name, w, "history", 1400, 1300, append(texts, "Workflow Execution Started")...)
}

// tab takes a picture of a run's tab in Temporal's Web UI. The tab is the last part of its address.
func (c *camera) tab(name string, w *workflow.WorkflowExecutionInfo, tab string, width, height int64, texts ...string) {
	c.t.Helper()
	e := w.GetExecution()
	c.steps(chromedp.EmulateViewport(width, height), chromedp.Navigate(sys.TemporalUIURL()+"/namespaces/default/workflows/"+
		url.PathEscape(e.GetWorkflowId())+"/"+e.GetRunId()+"/"+tab))
	c.take(name, append(texts, e.GetRunId(), "CopyObject")...)
}

// paletted reduces a picture to its 256 most frequent colours. Other colours become the nearest of
// these.
func paletted(picture image.Image) *image.Paletted {
	coarse := func(x, y int) color.RGBA {
		r, g, b, _ := picture.At(x, y).RGBA()
		return color.RGBA{uint8(r>>8) &^ 3, uint8(g>>8) &^ 3, uint8(b>>8) &^ 3, 255}
	}
	area := picture.Bounds()
	count := map[color.RGBA]int{}
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			count[coarse(x, y)]++
		}
	}
	frequent := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int { return count[b] - count[a] })
	palette := color.Palette{}
	for _, c := range frequent[:min(len(frequent), 256)] {
		palette = append(palette, c)
	}
	index := map[color.RGBA]uint8{}
	for _, c := range frequent {
		index[c] = uint8(palette.Index(c))
	}
	out := image.NewPaletted(area, palette)
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			out.SetColorIndex(x, y, index[coarse(x, y)])
		}
	}
	return out
}

// narrowList collapses the Saved Views of Temporal's Web UI, hides the column Run ID, and moves the
// longest column to the end, as a person would.
const narrowList = `
	localStorage.setItem("savedQueryNavOpen", "false")
	localStorage.setItem("namespace-workflow-table-columns", JSON.stringify({default:
		["Status", "Type", "Start", "End", "Workflow ID"].map(label => ({label}))}))`

// visibleColumns has the headers of the list's columns that are visible as a whole.
const visibleColumns = `(right => [...document.querySelectorAll("th")].filter(th => th.getBoundingClientRect().right <= right)
	.map(th => th.innerText).filter(text => text && !text.startsWith("Select")).join(", "))(
	document.querySelector("table").parentElement.getBoundingClientRect().right)`

// visibleRetry is true if a frame shows the command that retries a copy, without scrolling.
const visibleRetry = `String([...document.querySelectorAll("iframe")].some(
	f => [...f.contentDocument.querySelectorAll("code")].some(
		c => c.innerText.includes("copies retry") && c.getBoundingClientRect().bottom <= f.clientHeight)))`

// complete is true once the state has the figures of all processes.
const complete = `(text => text?.includes("Bytes and money") && !text.includes("could not be read"))(
	document.querySelector("iframe").contentDocument?.body?.innerText)`

// TestPictures takes the pictures of the operators' page: copies in every state, and the page for
// people. It keeps them if [picturesEnv] is set.
func TestPictures(t *testing.T) {
	c, start := newCamera(t), time.Now().UTC()
	done := newSource(t, 3*mib, nil)
	object := strings.Replace(done.object(), "file.bin", "the-longest-name-of-a-file-26.zip", 1)
	requireCopy(t, done, west, ask(t, west, object, ""))
	gone := newSource(t, 1000, func(_ *source, w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusNotFound) })
	missing, _, _ := strings.Cut(gone.object(), "?") // The pictures show the URL.
	require.Equal(t, http.StatusNotFound, ask(t, west, missing, "").status)
	purged := purgedShape(t)
	_, running, gate := halfCopied(t, west)
	defer close(gate)
	busy := newSource(t, 1000, func(_ *source, w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Retry-After", "9")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	retried := busy.object()
	ask(t, west, retried, "?max_wait=0")
	eventually(t, func() bool { return busy.count(http.MethodGet) > 0 }, "the source was asked once")
	c.workflow("retrying", workflows(t, west, retried, 1)[0], "Running")

	runs := workflows(t, west, running, 1)[0]
	c.workflow("running", runs, "Running")
	c.tab("progress", runs, "pending-activities", 1400, 800, " MiB of 30 MiB (")
	copied := waitClosed(t, west, object, 1, completedStatus)
	c.workflow("completed", copied, "Completed")
	failed := waitClosed(t, west, missing, 1, failedStatus)
	c.workflow("failed", failed, "BadHTTPStatus")
	c.tab("details", failed, "user-metadata", 1600, 900, "for GET at host", "cloud-mirror copies show")
	require.Equal(t, "true", c.text(visibleRetry), "the command is visible as a whole")
	c.workflow("purged", purged, "Workflow Execution Canceled")
	query := url.QueryEscape(`WorkflowType="CopyObject" AND StartTime > "` + start.Format(time.RFC3339) + `"`)
	c.steps(chromedp.EmulateViewport(1600, 700), chromedp.Evaluate[chromedp.Void](narrowList),
		chromedp.Navigate(sys.TemporalUIURL()+"/namespaces/default/workflows?query="+query))
	c.take("list", "Failed", "CopyObject", "End")
	require.Len(t, copied.GetExecution().GetWorkflowId(), 96, "the longest id, see copyid.Max")
	require.Equal(t, "Status, Type, Start, End", c.text(visibleColumns), "columns that are visible as a whole")

	c.steps(chromedp.EmulateViewport(1280, 1500), chromedp.Navigate(sys.AdminURL(stack.WorkerName(west))+"/"),
		chromedp.SendKeys(`input[name="url"]`, missing), chromedp.Click("button"), chromedp.WaitVisible("#found"),
		chromedp.Poll[chromedp.Void](complete))
	c.take("page", "BadHTTPStatus")
	c.steps(chromedp.EmulateViewport(400, 2000))
	c.take("page-narrow", "BadHTTPStatus")
}
