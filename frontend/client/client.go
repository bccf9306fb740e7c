package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Client talks to one front end. Its methods are safe for concurrent use.
type Client struct {
	// Server is the front end's base URL, e.g. https://cloud-mirror.example.
	Server string
	// Token is the bearer token for purges. Other requests do not send it.
	Token string
}

// RedirectURL returns the URL to use in place of an object's own URL. service and region name the
// pool. If want is not empty, the mirror does not redirect to a copy with another known digest.
func (c *Client) RedirectURL(service, region, object string, want Digest) string {
	u := c.endpoint("redirect", service, region, object)
	if len(want) > 0 {
		u += "?sha256=" + want.String()
	}
	return u
}

// endpoint encodes the object as encodeURIComponent does, and additionally a few characters that
// encodeURIComponent leaves alone.
func (c *Client) endpoint(verb, service, region, object string) string {
	return strings.TrimSuffix(c.Server, "/") + "/v1/" + verb + "/" + url.PathEscape(service) + "/" +
		url.PathEscape(region) + "/" + strings.ReplaceAll(url.QueryEscape(object), "+", "%20")
}

// Purge forgets an object, deletes its copy and cancels a running copy. The region "all" means
// every region. It returns the front end's message if the purge is accepted but not finished, for
// example because the bucket is down. A status other than 202 and 204 is an error with the front
// end's message.
func (c *Client) Purge(ctx context.Context, service, region, object string) (accepted string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, c.endpoint("purge", service, region, object), nil)
	if err != nil {
		return "", fmt.Errorf("purge: %w", withoutURL(err))
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("purge: front end %s (--server, CLOUD_MIRROR_SERVER): %w", c.Server, withoutURL(err))
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusNoContent:
		return "", nil
	case http.StatusAccepted:
		return errorMessage(resp), nil
	}
	return "", fmt.Errorf("purge: %s", errorMessage(resp))
}

// Object is an object behind a redirect.
type Object struct {
	// Body is the object's content. The caller closes it. If the digest is not the wanted digest,
	// Read fails at the end.
	Body io.ReadCloser
	// Size is in bytes; -1 if it is not known.
	Size int64
	// Copied is true for the copy, and false for the source's original.
	Copied bool
	// Reason is the front end's reason for a redirect to the source.
	Reason string
}

// Get requests an object and follows the redirect, to the copy or to the source. If want is not
// empty, the object must have that digest. A refusal is an error with the front end's message.
func (c *Client) Get(ctx context.Context, service, region, object string, want Digest) (Object, error) {
	r, err := c.follow(ctx, c.RedirectURL(service, region, object, want))
	if err != nil {
		return Object{}, err
	}
	resp, err := get(ctx, http.DefaultClient, r.location)
	if err != nil {
		return Object{}, fmt.Errorf("object: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return Object{}, fmt.Errorf("object: %s", resp.Status)
	}
	return Object{
		Body: verifying(resp.Body, want), Size: resp.ContentLength,
		Copied: r.Status == "present", Reason: r.Msg,
	}, nil
}

// redirect is a front end's redirect away from itself.
type redirect struct {
	location    string
	Status, Msg string // Of the body.
}

// maxChain bounds the redirects of a front end to itself, at twice the redirects that curl follows.
const maxChain = 100

// follow sends redirect requests until the front end redirects elsewhere. A front end with
// frontend.chain redirects to itself for the remainder of a wait.
func (c *Client) follow(ctx context.Context, target string) (redirect, error) {
	client := *http.DefaultClient
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for range maxChain {
		r, itself, err := c.request(ctx, &client, target)
		if err != nil || !itself {
			return r, err
		}
		target = r.location
	}
	return redirect{}, errors.New("redirect: the front end redirects to itself without end")
}

// request sends one redirect request. itself is set if the front end redirects to itself.
func (c *Client) request(ctx context.Context, client *http.Client, target string) (r redirect, itself bool, err error) {
	resp, err := get(ctx, client, target)
	if err != nil {
		return r, false, fmt.Errorf("front end %s (--server, CLOUD_MIRROR_SERVER): %w", c.Server, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		return r, false, fmt.Errorf("redirect: %s", errorMessage(resp))
	}
	location, err := resp.Location()
	if err != nil || json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&r) != nil {
		return r, false, errors.New("redirect: the response is not from a cloud-mirror")
	}
	r.location = location.String()
	itself = location.Host == resp.Request.URL.Host && strings.Contains(location.EscapedPath(), "/v1/redirect/")
	return r, itself, nil
}

func get(ctx context.Context, c *http.Client, u string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, errors.New("not a usable URL")
	}
	// Save the bytes as they are stored.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := c.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	return resp, nil
}

// errorMessage returns the status of an answer and the front end's own message, if it sent one.
func errorMessage(resp *http.Response) string {
	var body struct{ Msg, Message string }
	_ = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&body)
	if text := body.Msg + body.Message; text != "" {
		return resp.Status + ": " + text
	}
	return resp.Status
}

// withoutURL drops the URL that net/http puts into its errors, since it may hold a signature.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
