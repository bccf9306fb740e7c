package frontend

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/url"
	"slices"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
)

// listLine is one line of a list: URLs, and the regions to copy each of them into.
type listLine struct {
	URL     string `json:"url"`
	URLs    names  `json:"urls"`
	Service string `json:"service"`
	Regions names  `json:"regions"`
}

// errTooMany refuses a list, or a line of it.
var errTooMany = problem(codeInput, "A list may name at most 10,000 objects")

// maxName bounds a URL or region in a line, in bytes. Answers repeat it, once for each object.
const maxName = 8 << 10

var errNotNames = errors.New("not a list of strings")

var errLongName = problem(codeInput, "A URL or a region is longer than 8 KiB")

// names is a list of strings. It fails with [errTooMany] after maxCopies of them. A short text can
// hold many strings, and each costs more memory than its text.
type names []string

// UnmarshalJSON decodes one string after the other.
func (n *names) UnmarshalJSON(text []byte) error {
	*n = nil
	dec := json.NewDecoder(bytes.NewReader(text))
	switch start, err := dec.Token(); {
	case err != nil:
		return errNotNames
	case start == nil:
		return nil // Null is no list, as for every list of encoding/json.
	case start != json.Delim('['):
		return errNotNames
	}
	for dec.More() {
		if len(*n) == maxCopies {
			return errTooMany
		}
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return errNotNames
		}
		if len(name) > maxName {
			return errLongName
		}
		*n = append(*n, name)
	}
	return nil
}

// listItem is one object of a list, or an error of the line that names it.
type listItem struct {
	line        int
	url, region string // As the line names them; empty if the error is the whole line's.
	target      *flight.Target
	err         error // If set, target is nil.
}

// listAnswer is one line of the answer to a list.
type listAnswer struct {
	Line   int    `json:"line"` // Of the list, from 1.
	URL    string `json:"url,omitempty"`
	Region string `json:"region,omitempty"`
	// Status is present, pending, or error with the failure's class. It is omitted if the line is
	// invalid, or the copy could not be requested.
	Status    cache.State `json:"status,omitempty"`
	StatusURL string      `json:"statusUrl,omitempty"`
	// WorkflowID, Attempts and NextRetry are those of a status.
	WorkflowID string       `json:"workflowId,omitempty"`
	Attempts   int32        `json:"attempts,omitempty"`
	NextRetry  *time.Time   `json:"nextRetry,omitempty"`
	Error      *requestBody `json:"error,omitempty"`
}

func lineError(p *requestError) *requestBody { return &requestBody{Code: p.code, Message: p.text} }

// answer returns the item's answer without the state of its copy.
func (i listItem) answer() listAnswer {
	if i.err != nil {
		return listAnswer{Line: i.line, URL: i.url, Region: i.region, Error: lineError(asProblem(i.err))}
	}
	o := i.target.Object
	return listAnswer{
		Line: i.line, URL: o.URL, Region: o.Region,
		WorkflowID: workflowID(o), StatusURL: "/v1/status/" + o.Service + "/" + o.Region + "/" + url.QueryEscape(o.URL),
	}
}

// items returns the number of objects of a line, and the objects. An object may have an error. The
// objects are made as the caller takes them, so the line is never expanded in memory.
func (p *paths) items(number int, text []byte) (objects int, items iter.Seq[listItem]) {
	line, err := parseLine(text)
	if err != nil {
		return 1, func(yield func(listItem) bool) { yield(listItem{line: number, err: err}) }
	}
	places := p.places(line)
	return len(line.URLs) * len(places), func(yield func(listItem) bool) {
		for _, source := range line.URLs {
			for _, place := range places {
				if !yield(p.item(number, source, place)) {
					return
				}
			}
		}
	}
}

// place is a destination of a line's copies: a pool, or the error of a region without a pool.
type place struct {
	region string
	pool   *flight.Pool
	err    error
}

// places returns each pool of a line once.
func (p *paths) places(line listLine) (places []place) {
	seen := map[*flight.Pool]bool{}
	for _, region := range line.Regions {
		pools, err := p.poolsOf(line.Service, region, true)
		if err != nil {
			places = append(places, place{region: region, err: err})
		}
		for _, pool := range pools {
			if !seen[pool] {
				seen[pool] = true
				places = append(places, place{region: pool.Region, pool: pool})
			}
		}
	}
	return places
}

// unique returns the names without repetitions.
func unique(all names) names {
	seen := make(map[string]bool, len(all))
	return slices.DeleteFunc(all, func(name string) bool {
		again := seen[name]
		seen[name] = true
		return again
	})
}

func parseLine(text []byte) (listLine, error) {
	line := listLine{Service: "s3"}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	err := dec.Decode(&line)
	if refused, ok := errors.AsType[*requestError](err); ok {
		return line, refused
	}
	if _, more := dec.Token(); err != nil || !errors.Is(more, io.EOF) {
		return line, problem(codeInput, `The line is not JSON such as {"url":"https://…","regions":["us-west-2"]}`)
	}
	if len(line.URL) > maxName {
		return line, errLongName
	}
	if line.URL != "" {
		line.URLs = append(line.URLs, line.URL)
	}
	if len(line.URLs) == 0 || len(line.Regions) == 0 {
		return line, problem(codeInput, "The line names no url, or no regions")
	}
	line.URLs, line.Regions = unique(line.URLs), unique(line.Regions)
	return line, nil
}

func (p *paths) item(number int, source string, to place) listItem {
	if to.err != nil {
		return listItem{line: number, url: source, region: to.region, err: to.err}
	}
	canonical, err := p.canonical(source)
	if err != nil {
		return listItem{line: number, url: source, region: to.region, err: err}
	}
	return listItem{line: number, target: flight.NewTarget(to.pool, canonical)}
}
