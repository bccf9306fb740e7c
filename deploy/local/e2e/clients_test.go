package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// clientTest is a program that gets objects by their redirect URLs.
type clientTest struct {
	name  string
	files map[string][]byte // By name
	// run gets the files into an empty folder, and compares them with the source's bytes.
	run func(t *testing.T, dir string, files, urls map[string]string)
	// exchanges are those about each file.
	exchanges []string
	// revalidates allows more redirects. The bucket answers 304, or the client's cache is fresh and
	// the client does not request the copy.
	revalidates bool
	// connections is the least number of connections, for a client with several.
	connections int
}

// download is a client that gets one file. It writes the bytes into the file out.
func download(command string, size int, exchanges ...string) clientTest {
	return clientTest{
		name: command, files: map[string][]byte{"file.bin": random(size)}, exchanges: exchanges,
		run: func(t *testing.T, dir string, files, urls map[string]string) {
			t.Helper()
			mustRun(t, dir, command, urls["file.bin"])
			requireFile(t, []byte(files["file.bin"]), dir, "out")
		},
	}
}

// resume is a download with the first half of the bytes in the file out.
func resume(command string, exchanges ...string) clientTest {
	c := download(command, 300_000, exchanges...)
	c.name += " (half a file exists)"
	run := c.run
	c.run = func(t *testing.T, dir string, files, urls map[string]string) {
		t.Helper()
		writeFile(t, []byte(files["file.bin"][:150_000]), dir, "out")
		run(t, dir, files, urls)
	}
	return c
}

func random(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.Read(b)
	return b
}

func downloads() []clientTest {
	plain := []string{"redirect GET 302", "bucket GET 200"}
	half := []string{"redirect GET bytes=150000- 302", "bucket GET bytes=150000- 206"}
	ranged := download("curl -sSfL -r 100-199 -o out", 300_000, "redirect GET bytes=100-199 302", "bucket GET bytes=100-199 206")
	ranged.run = func(t *testing.T, dir string, files, urls map[string]string) {
		t.Helper()
		mustRun(t, dir, ranged.name, urls["file.bin"])
		requireFile(t, []byte(files["file.bin"][100:200]), dir, "out")
	}
	// Without a limit, the first connection may be past the range of the next before that connects.
	parallel := download("aria2c --no-conf -x8 -s8 -k1M --max-overall-download-limit=16M -o out", 24*mib)
	parallel.connections = 8
	listed := clientTest{
		name: "rclone copy :http:", files: map[string][]byte{"file.bin": random(300_000)},
		exchanges: []string{"redirect HEAD 302", "bucket HEAD 200", "redirect GET 302", "bucket GET 200"},
		run: func(t *testing.T, dir string, files, urls map[string]string) {
			t.Helper()
			index := newIndex(t, map[string]string{"/": `<a href="file.bin">file.bin</a>`}, urls)
			mustRun(t, dir, "rclone copy --http-url "+index+"/ :http: out")
			requireFile(t, []byte(files["file.bin"]), dir, "out", "file.bin")
		},
	}
	rclone := download("rclone copyurl", 300_000, plain...)
	rclone.run = func(t *testing.T, dir string, files, urls map[string]string) {
		t.Helper()
		mustRun(t, dir, rclone.name, urls["file.bin"], "out")
		requireFile(t, []byte(files["file.bin"]), dir, "out")
	}
	return []clientTest{
		download("curl -sSfL -o out", 300_000, plain...), ranged, resume("curl -sSfL -C - -o out", half...),
		download("wget -q -O out", 300_000, plain...), resume("wget -q -c -O out", half...),
		parallel, rclone, listed,
	}
}

func packageManagers(t *testing.T) []clientTest {
	t.Helper()
	const text = "cmprobe = 1\n"
	plain := []string{"redirect GET 302", "bucket GET 200"}
	pip := map[string][]byte{wheel: newWheel(t, "1.0.0", text)}
	npm := map[string][]byte{"cmprobe-1.0.0.tgz": newTarball(t, `{"name":"cmprobe","version":"1.0.0"}`, text)}
	requireInstalled := func(t *testing.T, dir string, files, urls map[string]string) {
		t.Helper()
		requireFile(t, []byte(text), dir, "node_modules", "cmprobe", "index.js")
		lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
		require.NoError(t, err)
		require.Contains(t, string(lock), integrity(files["cmprobe-1.0.0.tgz"])) // npm computed or compared it
		require.Contains(t, string(lock), urls["cmprobe-1.0.0.tgz"])
		require.NotContains(t, string(lock), "X-Amz-")
	}
	return []clientTest{{
		name: "pip download URL", files: pip, exchanges: plain,
		run: func(t *testing.T, dir string, files, urls map[string]string) {
			t.Helper()
			mustRun(t, dir, "pip3 download --no-index --no-deps -d out", urls[wheel])
			requireFile(t, []byte(files[wheel]), dir, "out", wheel)
		},
	}, {
		name: "pip install, by an index", files: pip, exchanges: plain,
		run: func(t *testing.T, dir string, files, urls map[string]string) {
			t.Helper()
			sum := sha256.Sum256([]byte(files[wheel]))
			page := `<!doctype html><a href="` + urls[wheel] + "#sha256=" + hex.EncodeToString(sum[:]) + `">` + wheel + `</a>`
			index := newIndex(t, map[string]string{"/simple/cmprobe/": page}, nil)
			mustRun(t, dir, "pip3 install --no-deps --target out --index-url "+index+"/simple/ cmprobe")
			requireFile(t, []byte(text), dir, "out", "cmprobe.py")
		},
	}, {
		name: "npm install URL", files: npm, exchanges: plain, revalidates: true,
		run: func(t *testing.T, dir string, files, urls map[string]string) {
			t.Helper()
			mustRun(t, dir, "npm install --prefix .", urls["cmprobe-1.0.0.tgz"])
			requireInstalled(t, dir, files, urls)
		},
	}, {
		name: "npm install, by a registry", files: npm, exchanges: plain,
		run: func(t *testing.T, dir string, files, urls map[string]string) {
			t.Helper()
			version := map[string]any{"name": "cmprobe", "version": "1.0.0", "dist": map[string]string{
				"tarball": urls["cmprobe-1.0.0.tgz"], "integrity": integrity(files["cmprobe-1.0.0.tgz"]),
			}}
			page, err := json.Marshal(map[string]any{
				"name": "cmprobe", "dist-tags": map[string]string{"latest": "1.0.0"}, "versions": map[string]any{"1.0.0": version},
			})
			require.NoError(t, err)
			registry := newIndex(t, map[string]string{"/cmprobe": string(page)}, nil)
			mustRun(t, dir, "npm install --prefix . --registry "+registry+"/ cmprobe")
			requireInstalled(t, dir, files, urls)
		},
	}, {
		name: "go mod download", files: newModule(t, "1.0.0", text), exchanges: plain,
		run: func(t *testing.T, dir string, files, urls map[string]string) {
			t.Helper()
			proxy := newIndex(t, nil, urls)
			mustRun(t, dir, "env GOPROXY="+proxy+" go mod download example.test/cmprobe@v1.0.0")
			for name, want := range files {
				requireFile(t, []byte(want), dir, "mod/cache/download/example.test/cmprobe/@v", name)
			}
		},
	}}
}

func integrity(tarball string) string {
	sum := sha512.Sum512([]byte(tarball))
	return "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
}

// TestRealClients has each client get objects twice: without a copy, and with one. frontend/README.md
// lists the clients.
func TestRealClients(t *testing.T) {
	o := startObserved(t)
	for _, c := range append(downloads(), packageManagers(t)...) {
		t.Run(c.name, func(t *testing.T) {
			s := newSource(t, 0, func(_ *source, w http.ResponseWriter, r *http.Request, _ int) {
				(&source{body: c.files[path.Base(r.URL.Path)]}).serveObject(w, r)
			})
			files, objects, urls := map[string]string{}, map[string]string{}, map[string]string{}
			gets := 0
			for name, content := range c.files {
				if gets++; len(content) > 8*mib {
					gets++ // The first request for a large object is closed unread
				}
				files[name] = string(content)
				objects[name] = strings.Replace(s.object(), "file.bin?sig="+secret, name, 1)
				urls[name] = o.url(objects[name])
			}
			for _, first := range []string{"cloud-mirror; fwd=miss", "cloud-mirror; hit"} {
				c.run(t, t.TempDir(), files, urls)
				for _, object := range objects {
					texts, cacheStatuses := o.take(object)
					c.requireExchanges(t, texts)
					require.Equal(t, first, cacheStatuses[0])
					for _, status := range cacheStatuses[1:] {
						require.Equal(t, "cloud-mirror; hit", status)
					}
				}
				require.Equal(t, gets, s.count(http.MethodGet), "GETs of the source")
			}
		})
	}
}

// TestPipNeedsAFileName has pip fail: a query in the source's URL hides the file's name. The copy
// exists anyway.
func TestPipNeedsAFileName(t *testing.T) {
	o := startObserved(t)
	body := newWheel(t, "1.0.0", "cmprobe = 1\n")
	s := newSource(t, 0, func(_ *source, w http.ResponseWriter, r *http.Request, _ int) {
		(&source{body: body}).serveObject(w, r)
	})
	object := strings.Replace(s.object(), "file.bin", wheel, 1)
	output, err := runClient(t, t.TempDir(), "pip3", "download", "--no-index", "--no-deps", "-d", "out", o.url(object))
	require.Error(t, err)
	require.Contains(t, output, "does not appear to be a Python project")
	texts, _ := o.take(object)
	require.Equal(t, []string{"redirect GET 302", "bucket GET 200"}, texts)
}

func (c clientTest) requireExchanges(t *testing.T, texts []string) {
	t.Helper()
	for c.revalidates && len(texts) > len(c.exchanges) {
		last := len(texts) - 1
		if texts[last] == "bucket GET 304" {
			last--
		}
		require.Equal(t, "redirect GET 302", texts[last])
		texts = texts[:last]
	}
	if c.connections == 0 {
		require.Equal(t, c.exchanges, texts)
		return
	}
	redirects, ranges := 0, 0
	for _, text := range texts {
		switch {
		case strings.HasPrefix(text, "redirect GET "):
			redirects++
		case strings.HasPrefix(text, "bucket GET bytes=") && strings.HasSuffix(text, " 206"):
			ranges++
		default:
			require.Equal(t, "bucket GET 200", text) // Before the client knows the size
		}
	}
	require.GreaterOrEqual(t, redirects, c.connections, "%q", texts)
	require.GreaterOrEqual(t, ranges, c.connections-1, "%q", texts)
}
