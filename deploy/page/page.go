package page

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// patience is how long the page waits for its dependencies.
const patience = time.Second

// sharing is how long readers share a state. The page refreshes itself less often.
const sharing = 5 * time.Second

// maxForm bounds the body of the form, in bytes: a URL of 8 KiB is at most 24 KiB when encoded.
const maxForm = 32 << 10

// Temporal is the part of Temporal's client that finds workflows.
type Temporal interface {
	// CountWorkflow returns the number of workflows that match a query.
	CountWorkflow(ctx context.Context, r *workflowservice.CountWorkflowExecutionsRequest) (*workflowservice.CountWorkflowExecutionsResponse, error)
	// ListWorkflow returns a page of the workflows that match a query, the newest first.
	ListWorkflow(ctx context.Context, r *workflowservice.ListWorkflowExecutionsRequest) (*workflowservice.ListWorkflowExecutionsResponse, error)
	// DescribeWorkflowExecution returns a run. An empty runID means the latest run.
	DescribeWorkflowExecution(ctx context.Context, workflowID, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error)
}

// Cache is the part of the cache that the page reads.
type Cache interface {
	// Get returns the entry of a key.
	Get(ctx context.Context, key string) (cache.Entry, error)
	// Backlogs returns the backlogs of pools. It omits a pool without a known backlog.
	Backlogs(ctx context.Context, pools []string) (map[string]cache.Backlog, error)
}

// Bucket finds a copy. Head fails with [storage.ErrNotFound] if there is none.
type Bucket interface {
	Head(ctx context.Context, key string) (storage.Stored, error)
}

// Pool is a pool with the places of its copies and entries.
type Pool struct {
	storage.Pool
	Space  cache.Space
	Bucket Bucket
}

// Options configures a page. All fields are required, except for the zero values that Admin documents.
type Options struct {
	Temporal  Temporal
	Namespace string
	Cache     Cache
	// Depths returns the depths of the queue and of its dead-letter queue. Nil leaves SQS out: the
	// role of a worker without a bridge may not ask.
	Depths func(context.Context) (requests, dead queue.Depth, err error)
	Pools  []Pool
	// Own gathers the metrics of this process.
	Own   prometheus.Gatherer
	Admin config.Admin
	// Lookup returns the addresses of a name in admin.metrics. Nil asks the system.
	Lookup  func(ctx context.Context, host string) ([]string, error)
	Prices  config.Prices
	S3      config.S3
	Version string
	Now     func() time.Time
}

//go:embed page.html state.html page.css
var files embed.FS

// page serves the page. Its methods are safe for concurrent use.
type page struct {
	Options
	html *template.Template
	http *http.Client

	mu   sync.Mutex
	last *state // Nil before the first
}

// New returns a handler of / (the page), /state (its frame) and /page.css.
func New(o Options) http.Handler {
	if o.Lookup == nil {
		o.Lookup = net.DefaultResolver.LookupHost
	}
	p := &page{Options: o, http: &http.Client{Timeout: patience}}
	p.html = template.Must(template.New("").Funcs(functions()).ParseFS(files, "*.html"))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { p.write(w, http.StatusOK, "page.html", p.form()) })
	mux.HandleFunc("POST /{$}", p.answer)
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, r *http.Request) {
		p.write(w, http.StatusOK, "state.html", p.shared(r.Context()))
	})
	mux.Handle("GET /page.css", http.FileServerFS(files))
	return headers(o.named(http.NewCrossOriginProtection().Handler(mux)))
}

// named refuses requests under names that are not this page's. A website could point its own name at this
// process, and its scripts could then read the page.
func (o Options) named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		host = strings.ToLower(strings.Trim(host, "[]"))
		_, err := netip.ParseAddr(host)
		if err != nil && strings.Contains(host, ".") && !slices.ContainsFunc(o.Admin.Hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
			http.Error(w, "This page answers under IP addresses, localhost, names without a dot, and those of admin.hosts", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// headers sets the headers of all answers. A referrer goes to the page's own origin only: without any,
// browsers would hide the origin of the form.
func headers(next http.Handler) http.Handler {
	const policy = "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Frame-Options", "SAMEORIGIN")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "same-origin")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// write renders a template before it sends the status: an error must not follow half a page.
func (p *page) write(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := p.html.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "The page can't be rendered", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}
