package frontend

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
)

// listLine is one line of a list: URLs, and the regions to copy each of them into.
type listLine struct {
	URL     string   `json:"url"`
	URLs    []string `json:"urls"`
	Service string   `json:"service"`
	Regions []string `json:"regions"`
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
	Status    cache.State  `json:"status,omitempty"`
	StatusURL string       `json:"statusUrl,omitempty"`
	Error     *requestBody `json:"error,omitempty"`
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
		StatusURL: "/v1/status/" + o.Service + "/" + o.Region + "/" + url.QueryEscape(o.URL),
	}
}

// items returns the objects of a line, each with its own error if it has one.
func (p *paths) items(number int, text []byte) []listItem {
	line, err := parseLine(text)
	if err != nil {
		return []listItem{{line: number, err: err}}
	}
	var items []listItem
	for _, source := range line.URLs {
		for _, region := range line.Regions {
			pools, err := p.poolsOf(line.Service, region, true)
			if err != nil {
				items = append(items, listItem{line: number, url: source, region: region, err: err})
			}
			for _, pool := range pools {
				items = append(items, p.item(number, source, pool))
			}
		}
	}
	return items
}

func parseLine(text []byte) (listLine, error) {
	line := listLine{Service: "s3"}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	err := dec.Decode(&line)
	if _, more := dec.Token(); err != nil || !errors.Is(more, io.EOF) {
		return line, problem(codeInput, `The line is not JSON such as {"url":"https://…","regions":["us-west-2"]}`)
	}
	if line.URL != "" {
		line.URLs = append(line.URLs, line.URL)
	}
	if len(line.URLs) == 0 || len(line.Regions) == 0 {
		return line, problem(codeInput, "The line names no url, or no regions")
	}
	return line, nil
}

func (p *paths) item(number int, source string, pool *flight.Pool) listItem {
	canonical, err := p.canonical(source)
	if err != nil {
		return listItem{line: number, url: source, region: pool.Region, err: err}
	}
	return listItem{line: number, target: flight.NewTarget(pool, canonical)}
}
