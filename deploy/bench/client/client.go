package client

import (
	"net/http"
	"net/url"
)

// Region is the region of all requests.
const Region = "us-west-2"

// Path returns the path of the redirect of a source's URL.
func Path(source string) string {
	return "/v1/redirect/s3/" + Region + "/" + url.QueryEscape(source)
}

// New returns a client with a transport of its own.
func New(t *http.Transport) *http.Client {
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// IsCopy reports whether a response redirects to a copy.
func IsCopy(resp *http.Response) bool {
	u, err := resp.Location()
	return err == nil && resp.StatusCode == http.StatusFound && u.Query().Get("X-Amz-Signature") != ""
}
