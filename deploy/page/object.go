package page

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/client"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// form is the data of the page: what the reader sent, and the answer to it.
type form struct {
	URL, Pool string
	Pools     []Pool
	Problem   string // Why there is no answer.
	Found     *object
	Version   string
}

// object is what is known about one object's copy.
type object struct {
	Redirect string // The redirect URL, or its path if admin.frontend_url is not set.
	Relative bool   // Redirect is a path.
	Status   string
	// Workflow is the id of the copy's workflow. Run describes its latest run, and Link leads to it.
	Workflow, Run, Link string
	Commands            []command
}

// command is a command for operators.
type command struct{ Does, Line string }

func (p *page) form() form { return form{Pools: p.Pools, Version: p.Version} }

// answer answers the form.
func (p *page) answer(w http.ResponseWriter, r *http.Request) {
	f := p.form()
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		f.Problem = "The form can't be read."
		p.write(w, http.StatusBadRequest, "page.html", f)
		return
	}
	f.URL, f.Pool = strings.TrimSpace(r.PostForm.Get("url")), r.PostForm.Get("pool")
	canonical, err := origin.Canonical(f.URL)
	if err != nil {
		f.Problem = "The URL can't be mirrored: " + cause(err)
		p.write(w, http.StatusBadRequest, "page.html", f)
		return
	}
	for _, pool := range p.Pools {
		if pool.ID() == f.Pool {
			f.Found = p.find(r.Context(), pool, canonical)
			p.write(w, http.StatusOK, "page.html", f)
			return
		}
	}
	f.Problem = "No pool with that name is configured."
	p.write(w, http.StatusBadRequest, "page.html", f)
}

// find asks redis, the bucket and Temporal for the copy of a canonical URL.
func (p *page) find(ctx context.Context, pool Pool, url string) *object {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	o := storage.Object{Service: pool.Service, Region: pool.Region, URL: url}
	source := activities.SealedObject{Service: o.Service, Region: o.Region, URL: o.Shown(), Hash: o.Hash()}
	mirror := client.Client{Server: p.Admin.FrontendURL}
	f := &object{
		Redirect: mirror.RedirectURL(o.Service, o.Region, url, nil), Relative: p.Admin.FrontendURL == "",
		Workflow: workflows.ID(source),
	}
	var running sync.WaitGroup
	running.Go(func() { f.Status = p.status(ctx, pool, o) })
	running.Go(func() { p.latest(ctx, f, workflows.EarlierID(source)) })
	running.Wait()
	f.Commands = p.commands(o, f.Workflow)
	return f
}

// status describes the object's entry, or its copy in the bucket if redis has no entry.
func (p *page) status(ctx context.Context, pool Pool, o storage.Object) string {
	e, err := ask(ctx, func(ctx context.Context) (cache.Entry, error) { return p.Cache.Get(ctx, pool.Space.Key(o.Hash())) })
	if err == nil && e.State != cache.Absent {
		s := client.Status{
			State: string(e.State), Done: e.Done, Total: max(e.Total, 0), Error: e.Class, HTTPStatus: e.Status,
			Retried: !e.Permanent, Until: e.Deadline, Cause: e.Text,
		}
		if e.State != cache.Error {
			s.Until = time.Time{}
		}
		return s.String()
	}
	_, headErr := ask(ctx, func(ctx context.Context) (storage.Stored, error) { return pool.Bucket.Head(ctx, o.Key()) })
	switch in := inBucket(headErr); {
	case err != nil:
		return "unknown: redis did not answer (" + cause(err) + "); " + in
	case headErr == nil:
		return "present: " + in + ", and redis has no entry"
	case errors.Is(headErr, storage.ErrNotFound):
		return "absent"
	default:
		return "unknown: redis has no entry; " + in
	}
}

func inBucket(err error) string {
	switch {
	case err == nil:
		return "the bucket has the copy"
	case errors.Is(err, storage.ErrNotFound):
		return "the bucket has no copy"
	case isDenied(err):
		return "the bucket is not readable from this worker"
	default:
		return "the bucket did not answer (" + cause(err) + ")"
	}
}

// isDenied reports whether S3 denied access. A worker's role may read the bucket of its region only.
func isDenied(err error) bool {
	e, ok := errors.AsType[interface {
		error
		HTTPStatusCode() int
	}](err)
	return ok && e.HTTPStatusCode() == http.StatusForbidden
}

// latest fills in the latest run of the copy. Builds before 2026-11-27 gave it another id.
func (p *page) latest(ctx context.Context, f *object, earlier string) {
	for _, id := range []string{f.Workflow, earlier} {
		out, err := ask(ctx, func(ctx context.Context) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
			return p.Temporal.DescribeWorkflowExecution(ctx, id, "")
		})
		if _, none := errors.AsType[*serviceerror.NotFound](err); none {
			continue
		}
		if err != nil {
			f.Run = "unknown: Temporal did not answer (" + cause(err) + ")"
			return
		}
		w := out.GetWorkflowExecutionInfo()
		f.Workflow, f.Link = id, p.run(id, w.GetExecution().GetRunId())
		f.Run = w.GetStatus().String()
		if class := attribute(w, workflows.ErrorClassAttribute()); class != "" {
			f.Run += " (" + class + ")"
		}
		f.Run += ", started " + w.GetStartTime().AsTime().UTC().Format(time.RFC3339)
		return
	}
	f.Run = "none: no copy was requested within the retention of the namespace"
}

// commands returns the commands for an object, ready to paste into a shell.
func (p *page) commands(o storage.Object, workflow string) []command {
	place := "--region " + quoted(o.Region) + " "
	if o.Service != "s3" {
		place = "--service " + quoted(o.Service) + " " + place
	}
	server := ""
	if p.Admin.FrontendURL != "" {
		server = "--server " + quoted(p.Admin.FrontendURL) + " "
	}
	url := quoted(o.URL)
	return []command{
		{"Purge it, with a token of the scope purge in CLOUD_MIRROR_TOKEN", "cloud-mirror purge " + server + place + url},
		{"Print its status", "cloud-mirror status " + server + place + url},
		{"Show its workflow", "cloud-mirror copies show " + quoted(workflow)},
		{"Copy it again after a failure", "cloud-mirror copies retry " + quoted(workflow)},
	}
}

// quoted quotes a word for a POSIX shell, unless it needs no quotes.
func quoted(word string) string {
	if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
