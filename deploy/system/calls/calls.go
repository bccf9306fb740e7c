package calls

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// The dependencies.
const (
	S3     = "s3"
	SQS    = "sqs"
	Redis  = "redis"
	Source = "source"
)

// Other is the operation of a call that is not listed.
const Other = "other"

// Operations are the known operations of a process, by dependency.
type Operations map[string][]string

// FrontEnd returns the operations of a front end. The commands are those of redis.
func FrontEnd(commands []string) Operations {
	return Operations{
		S3:    {"DeleteObject", "HeadBucket", "HeadObject"},
		SQS:   {"GetQueueUrl", "SendMessage"},
		Redis: commands,
	}
}

// Worker returns the operations of a worker. The commands are those of redis, and the requests those
// to sources.
func Worker(commands, requests []string) Operations {
	return Operations{
		S3: {
			"AbortMultipartUpload", "CompleteMultipartUpload", "CopyObject", "CreateMultipartUpload", "DeleteObject", "HeadBucket",
			"HeadObject", "ListMultipartUploads", "ListParts", "PutObject", "UploadPart", "UploadPartCopy",
		},
		SQS: {
			"ChangeMessageVisibilityBatch", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage", "SendMessage",
		},
		Redis:  commands,
		Source: requests,
	}
}

// StatusClasses returns the classes of a source's response: of its HTTP status, or none if there was
// no response.
func StatusClasses() []string { return []string{"2xx", "3xx", "4xx", "5xx", "none", Other} }

// Calls measures calls. It is safe for concurrent use.
type Calls struct {
	known     map[string]map[string]measure
	responses *prometheus.CounterVec // nil unless the process sends requests to sources
	fetched   prometheus.Counter     // nil as well
}

// measure holds the metrics of one operation.
type measure struct {
	seconds prometheus.Observer
	errors  prometheus.Counter
}

// New registers the metrics with r. Every operation, and [Other] of its dependency, starts at zero.
func New(r prometheus.Registerer, operations Operations) *Calls {
	f := promauto.With(r)
	seconds := f.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "cloud_mirror_dependency_seconds",
		Help:    "Time of a call to a dependency until its response begins, by dependency (s3, sqs, redis, source) and operation.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"dependency", "operation"})
	failed := f.NewCounterVec(prometheus.CounterOpts{
		Name: "cloud_mirror_dependency_errors_total",
		Help: "Calls to a dependency that failed, by dependency (s3, sqs, redis, source) and operation. An expected refusal is no failure.",
	}, []string{"dependency", "operation"})
	c := &Calls{known: map[string]map[string]measure{}}
	for dependency, names := range operations {
		c.known[dependency] = map[string]measure{}
		for _, name := range append([]string{Other}, names...) {
			c.known[dependency][name] = measure{seconds.WithLabelValues(dependency, name), failed.WithLabelValues(dependency, name)}
		}
	}
	if requests, ok := operations[Source]; ok {
		c.registerSources(f, requests)
	}
	return c
}

func (c *Calls) registerSources(f promauto.Factory, requests []string) {
	c.responses = f.NewCounterVec(prometheus.CounterOpts{
		Name: "cloud_mirror_source_responses_total",
		Help: "Requests to sources, each hop of a redirect by itself, by operation and class of the status (none without a response).",
	}, []string{"operation", "status"})
	c.fetched = f.NewCounter(prometheus.CounterOpts{
		Name: "cloud_mirror_fetched_bytes_total",
		Help: "Bytes of bodies read from sources, also those of attempts that failed.",
	})
	for _, name := range append([]string{Other}, requests...) {
		for _, status := range StatusClasses() {
			c.responses.WithLabelValues(name, status)
		}
	}
}

// operation returns the listed name of an operation, or [Other]. It returns false for a dependency
// without operations.
func (c *Calls) operation(dependency, name string) (string, measure, bool) {
	of := c.known[dependency]
	if m, ok := of[name]; ok {
		return name, m, true
	}
	m, ok := of[Other]
	return Other, m, ok
}

// observe counts a call. Its error is nil, or a failure of the dependency.
func (c *Calls) observe(dependency, name string, took time.Duration, err error) {
	_, m, ok := c.operation(dependency, name)
	if !ok || errors.Is(err, context.Canceled) {
		return
	}
	m.seconds.Observe(took.Seconds())
	if err != nil {
		m.errors.Inc()
	}
}

// OnCommand counts a command of redis. It has the form of cache.Options.OnCommand.
func (c *Calls) OnCommand(name string, took time.Duration, err error) {
	c.observe(Redis, name, took, err)
}

// OnRequest counts a request to a source. It has the form of origin.Config.OnRequest. The status is
// 0 without a response.
func (c *Calls) OnRequest(name string, took time.Duration, status int, err error) {
	c.observe(Source, name, took, err)
	if c.responses == nil || errors.Is(err, context.Canceled) {
		return
	}
	name, _, _ = c.operation(Source, name)
	c.responses.WithLabelValues(name, statusClass(status)).Inc()
}

// OnFetched counts bytes of a source's body. It has the form of origin.Config.OnFetched.
func (c *Calls) OnFetched(bytes int) {
	if c.fetched != nil {
		c.fetched.Add(float64(bytes))
	}
}

func statusClass(status int) string {
	switch {
	case status == 0:
		return "none"
	case status >= 200 && status < 600:
		return strconv.Itoa(status/100) + "xx"
	default:
		return Other
	}
}
