package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/cloud-mirror/cloud-mirror/frontend/client"
)

// newExampleServer returns a server that is both the front end and the bucket that it redirects to.
func newExampleServer() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/redirect/", func(w http.ResponseWriter, r *http.Request) {
		location := "http://" + r.Host + "/bucket/a.zip"
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusFound)
		fmt.Fprintf(w, `{"status":"present","url":%q}`, location)
	})
	mux.HandleFunc("/bucket/a.zip", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	mux.HandleFunc("DELETE /v1/purge/", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	return httptest.NewServer(mux)
}

func Example() {
	server := newExampleServer()
	defer server.Close()
	ctx := context.Background()

	c := &client.Client{Server: server.URL}
	object, err := c.Get(ctx, "s3", "us-west-2", "https://example.com/a.zip", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer object.Body.Close()
	body, err := io.ReadAll(object.Body)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, %d bytes, from the copy: %t\n", body, object.Size, object.Copied)
	// Output:
	// hello, 5 bytes, from the copy: true
}

func ExampleClient_RedirectURL() {
	c := &client.Client{Server: "https://cloud-mirror.example"}
	fmt.Println(c.RedirectURL("s3", "us-west-2", "https://example.com/a b.zip?v=1", nil))
	// Output:
	// https://cloud-mirror.example/v1/redirect/s3/us-west-2/https%3A%2F%2Fexample.com%2Fa%20b.zip%3Fv%3D1
}

func ExampleClient_Purge() {
	server := newExampleServer()
	defer server.Close()

	c := &client.Client{Server: server.URL, Token: "the purge token"}
	accepted, err := c.Purge(context.Background(), "s3", "all", "https://example.com/a.zip")
	if err != nil {
		fmt.Println(err)
		return
	}
	if accepted == "" { // Otherwise a workflow finishes the purge.
		fmt.Println("purged")
	}
	// Output:
	// purged
}

func ExampleSave() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	server := newExampleServer()
	defer server.Close()

	const url = "https://example.com/a.zip"
	c := &client.Client{Server: server.URL}
	object, err := c.Get(context.Background(), "s3", "us-west-2", url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer object.Body.Close()
	if err := client.Save(filepath.Join(dir, client.FileName(url)), object.Body, object.Size); err != nil {
		fmt.Println(err)
		return
	}
	saved, _ := os.ReadFile(filepath.Join(dir, "a.zip"))
	fmt.Printf("%s\n", saved)
	// Output:
	// hello
}
