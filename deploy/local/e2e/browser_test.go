package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/chromium"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
)

// browser is a headless Chromium with one page. The page fetches URLs for a test. It has its own
// port, so its origin differs from all origins of the stack.
type browser struct {
	page    *httptest.Server
	log     string
	tasks   chan fetchTask
	results chan fetched
	ended   chan struct{} // Closed when Chromium has exited
	err     error         // Why it exited. Read it after ended is closed.
}

// fetchTask holds the arguments of JavaScript's fetch, or opens a document in a frame.
type fetchTask struct {
	URL  string         `json:"url"`
	Init map[string]any `json:"init"`
	// Patience is how long a frame may take to load, in milliseconds. It is 0 for a fetch.
	Patience int `json:"patience,omitempty"`
}

// fetched holds the parts of an answer that a script can read.
type fetched struct {
	Error   string // Of a rejected fetch; the other fields are then zero
	Status  int
	Type    string            // "cors", or "opaque" if the script can read nothing
	URL     string            // After redirects
	Headers map[string]string // By their names in lower case
	body    []byte
}

// page asks the test for a fetch, does it, sends the result, and repeats. The browser's cache would
// answer for the bucket.
const page = `<!doctype html><title>a page of another origin</title><body><script>
const open = (url, patience) => new Promise(resolve => {
  const frame = document.createElement('iframe');
  frame.onload = () => resolve('loaded');
  setTimeout(() => resolve('not loaded'), patience);
  frame.src = url;
  document.body.append(frame);
});
const run = async ({url, init, patience}) => {
  try {
    if (patience) return [{type: await open(url, patience)}, ''];
    const r = await fetch(url, {cache: 'no-store', ...init});
    const body = await r.arrayBuffer();
    return [{status: r.status, type: r.type, url: r.url, headers: Object.fromEntries(r.headers)}, body];
  } catch (e) {
    return [{error: String(e)}, ''];
  }
};
(async () => {
  for (;;) {
    const task = await (await fetch('/task')).json();
    const [answer, body] = await run(task);
    await fetch('/result?' + new URLSearchParams({answer: JSON.stringify(answer)}), {method: 'POST', body});
  }
})();
</script>`

// startBrowser starts Chromium. It ends with the test, with its profile.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	b := &browser{tasks: make(chan fetchTask), results: make(chan fetched), ended: make(chan struct{})}
	b.page = httptest.NewServer(b)
	t.Cleanup(b.page.Close)
	// TempDir would fail the test if a dying process still writes while it removes the folder.
	dir, err := os.MkdirTemp("", "chromium-") //nolint:usetesting // See above
	require.NoError(t, err)
	t.Cleanup(func() {
		eventually(t, func() bool { return os.RemoveAll(dir) == nil }, "the profile is removed")
	})
	b.log = filepath.Join(dir, "log")
	ctx, kill := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(func() {
		kill()
		<-b.ended
	})
	spec := supervise.Spec{
		Name: "chromium", Path: browserPath(t), Dir: dir, Log: b.log,
		Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir},
		Args: []string{
			"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir=" + dir,
			"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-breakpad",
			"--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", b.page.URL,
		},
	}
	go func() {
		defer close(b.ended)
		b.err = supervise.Run(ctx, spec)
	}()
	return b
}

// browserPath returns the path of a Chromium.
func browserPath(t *testing.T) string {
	t.Helper()
	path, err := chromium.Path()
	require.NoError(t, err, "this test needs a real browser")
	return path
}

// ServeHTTP serves the page, the next fetch, and receives results.
func (b *browser) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, page)
	case "/task":
		select {
		case task := <-b.tasks:
			_ = json.NewEncoder(w).Encode(task)
		case <-r.Context().Done():
		}
	case "/result":
		var f fetched
		err := json.Unmarshal([]byte(r.URL.Query().Get("answer")), &f)
		if err == nil {
			f.body, err = io.ReadAll(r.Body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		select {
		case b.results <- f:
		case <-r.Context().Done():
		}
	default:
		http.NotFound(w, r)
	}
}

// fetch has the page fetch a URL.
func (b *browser) fetch(t *testing.T, url string, init map[string]any) fetched {
	t.Helper()
	return b.do(t, fetchTask{URL: url, Init: init})
}

// open has the page open a document in a frame, and reports whether the frame loaded it. A frame
// loads no download.
func (b *browser) open(t *testing.T, url string, patience time.Duration) bool {
	t.Helper()
	return b.do(t, fetchTask{URL: url, Patience: int(patience.Milliseconds())}).Type == "loaded"
}

// do has the page do a task, and returns the result.
func (b *browser) do(t *testing.T, task fetchTask) fetched {
	t.Helper()
	ctx := background(t)
	for tasks := b.tasks; ; {
		select {
		case tasks <- task:
			tasks = nil // Now wait for the result
		case f := <-b.results:
			return f
		case <-b.ended:
			require.NoError(t, b.err)
			require.Fail(t, "the browser has ended")
		case <-ctx.Done():
			log, _ := os.ReadFile(b.log)
			require.Fail(t, "the browser does not answer", string(log))
		}
	}
}
