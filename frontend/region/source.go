package region

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// source loads the document from its location. It is not safe for concurrent use.
type source struct {
	name     string // for messages, without secrets
	location string // path or URL
	remote   bool
	maxBytes int64
	timeout  time.Duration
	etag     string // of the last valid document
}

// newSource does no I/O.
func newSource(location string, maxBytes int64, timeout time.Duration) (*source, error) {
	s := &source{name: location, location: location, maxBytes: maxBytes, timeout: timeout}
	scheme, _, isURL := strings.Cut(location, "://")
	if !isURL {
		if location == "" {
			return nil, errors.New("no source of IP ranges")
		}
		return s, nil
	}
	u, err := url.Parse(location)
	if err != nil || u.Host == "" {
		return nil, errors.New("source of IP ranges: not a usable URL") // err would show the URL
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("source of IP ranges: %s is not supported, only a file, http or https", scheme)
	}
	s.remote = true
	s.name = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	return s, nil
}

// load returns the table of the document, or nil if the document has not changed since the last
// load.
func (s *source) load(ctx context.Context) (*table, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	body, etag, err := s.read(ctx)
	if err != nil || body == nil {
		return nil, err
	}
	t, err := parseTable(body)
	if err != nil {
		return nil, err
	}
	s.etag = etag // only of a valid document: an invalid one must be sent again until it is fixed
	return t, nil
}

func (s *source) read(ctx context.Context) (body []byte, etag string, err error) {
	if s.remote {
		return s.fetch(ctx)
	}
	f, err := os.Open(s.location)
	if err != nil {
		return nil, "", stripLocation(err)
	}
	defer f.Close()
	body, err = s.readAll(f)
	return body, "", err
}

// fetch downloads the document unless it is still the last valid one.
func (s *source) fetch(ctx context.Context) (body []byte, etag string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.location, nil)
	if err != nil {
		return nil, "", errors.New("not a usable URL")
	}
	if s.etag != "" {
		req.Header.Set("If-None-Match", s.etag)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", stripLocation(err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && s.etag != "":
		return nil, "", nil
	case resp.StatusCode != http.StatusOK:
		return nil, "", fmt.Errorf("unexpected status %s", resp.Status)
	}
	body, err = s.readAll(resp.Body)
	return body, resp.Header.Get("ETag"), err
}

// readAll never returns a nil body without an error.
func (s *source) readAll(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, s.maxBytes+1))
	if err != nil {
		return nil, stripLocation(err)
	}
	if int64(len(body)) > s.maxBytes {
		return nil, fmt.Errorf("more than %d bytes", s.maxBytes)
	}
	return body, nil
}

// stripLocation drops the path, which the caller's text holds already, and the URL, which may hold
// a secret.
func stripLocation(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}
