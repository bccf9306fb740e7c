package chromium

import (
	"context"
	"errors"
	"os"
	"os/exec"

	"github.com/chromedp/chromedp"
)

// Path returns the path of the program. The Makefile has the same names.
func Path() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no Chromium is installed: run `make chromium`")
}

// Start starts a Chromium with one page. The context that it returns is for chromedp.Run. The caller
// must call stop.
func Start(ctx context.Context) (page context.Context, stop func(), err error) {
	path, err := Path()
	if err != nil {
		return nil, nil, err
	}
	home, err := os.MkdirTemp("", "chromium-")
	if err != nil {
		return nil, nil, err
	}
	allocator, end := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.UserDataDir(home), chromedp.Env("HOME="+home, "TMPDIR="+home))...)
	page, cancel := chromedp.NewContext(allocator)
	stop = func() {
		cancel()
		end() // It waits for the processes.
		os.RemoveAll(home)
	}
	if err := chromedp.Do(page); err != nil {
		stop()
		return nil, nil, err
	}
	return page, stop, nil
}

// Overflow is a script. It returns by how many pixels a page is wider than its window.
const Overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
