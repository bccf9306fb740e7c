package origin

import (
	"context"
	"net/http"
)

// Head describes the object by a HEAD, with the headers of [Client.First]. What it says is only a
// hint: many sources answer a HEAD in another way than a GET, or not at all. Never copy by it.
//
// Head waits at most 2 s for one of the connections that are reserved for HEADs, and then fails
// with ClassBusy. Its errors are those of First, except that the status of a HEAD is never
// [Error].AboutObject.
func (c *Client) Head(ctx context.Context, canonical string) (Meta, error) {
	resp, hops, err := c.follow(ctx, http.MethodHead, canonical, nil, checks)
	if err != nil {
		return Meta{}, err
	}
	defer closeUnread(resp)
	if resp.StatusCode != http.StatusOK {
		err := c.statusError(resp)
		err.AboutObject = false
		return Meta{}, err
	}
	return metaOf(resp, hops)
}
