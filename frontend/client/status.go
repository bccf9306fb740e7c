package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// Status is the state of a copy; see the front end's API reference.
type Status struct {
	State      string    `json:"status"`          // present, pending, error or absent
	Done       int64     `json:"done,omitempty"`  // Bytes of a pending copy that are stored
	Total      int64     `json:"total,omitempty"` // Size of a pending copy in bytes; 0 is unknown
	Error      string    `json:"error,omitempty"` // Class of a failed copy
	HTTPStatus int       `json:"httpStatus,omitempty"`
	Retried    bool      `json:"retried,omitempty"`
	TooSmall   bool      `json:"tooSmall,omitempty"`
	Size       int64     `json:"size,omitempty"` // Of an object that is too small, in bytes
	Until      time.Time `json:"until,omitzero"` // When the error, or TooSmall, expires
	// Unmirrorable is set if the object's copies failed in the same way again and again.
	Unmirrorable bool `json:"unmirrorable,omitempty"`
	// WorkflowID names the workflow that copies the object. It is empty if the front end is of a
	// build before 2026-11-27.
	WorkflowID string `json:"workflowId,omitempty"`
	// Attempts counts the attempts that have begun; 0 is unknown. NextRetry is when the next
	// attempt is scheduled.
	Attempts  int       `json:"attempts,omitempty"`
	NextRetry time.Time `json:"nextRetry,omitzero"`
	// Cause is the operators' text of a failure, and Owner the lease holder of a pending copy. Only a
	// token with the scope status shows them.
	Cause string `json:"cause,omitempty"`
	Owner string `json:"owner,omitempty"`
}

// String describes the state, and names the workflow in a second line.
func (s Status) String() string {
	text := s.state()
	if s.Attempts > 0 {
		text += fmt.Sprintf(", attempt %d", s.Attempts)
	}
	if !s.NextRetry.IsZero() {
		text += ", next attempt at " + s.NextRetry.UTC().Format(time.RFC3339)
	}
	if s.WorkflowID != "" {
		text += "\nworkflow: " + s.WorkflowID
	}
	return text
}

// state describes the state without its attempts.
func (s Status) state() string {
	until := ""
	if !s.Until.IsZero() {
		until = ", until " + s.Until.UTC().Format(time.RFC3339)
	}
	switch {
	case s.State == "pending" && s.Total > 0:
		return fmt.Sprintf("pending: %d of %d bytes, %d %%", s.Done, s.Total, 100*s.Done/s.Total)
	case s.State == "pending" && s.Done > 0:
		return fmt.Sprintf("pending: %d bytes", s.Done)
	case s.State == "error":
		text := "error: " + s.Error
		if s.HTTPStatus != 0 {
			text += fmt.Sprintf(" (HTTP status %d)", s.HTTPStatus)
		}
		if s.Cause != "" {
			text += fmt.Sprintf(", %q", s.Cause)
		}
		if s.Retried {
			return text + ", tried again by the next request" + until
		}
		return text + until
	case s.TooSmall:
		return fmt.Sprintf("absent: the object is smaller than the minimum size of requests (%d bytes)%s", s.Size, until)
	}
	return s.State
}

// Status returns the state of an object's copy. It starts nothing.
func (c *Client) Status(ctx context.Context, service, region, object string) (s Status, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.endpoint("status", service, region, object), nil)
	if err != nil {
		return s, fmt.Errorf("status: %w", withoutURL(err))
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, fmt.Errorf("status: front end %s (--server, CLOUD_MIRROR_SERVER): %w", c.Server, withoutURL(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("status: %s", errorMessage(resp))
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&s); err != nil || s.State == "" {
		return s, errors.New("status: the response is not from a cloud-mirror")
	}
	return s, nil
}

// StatusCommand prints the state of an object's copy.
type StatusCommand struct {
	objectFlags
	Token string `placeholder:"TOKEN" help:"Bearer token with the scope status. With it the front end tells the cause of a failure."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Help returns an example.
func (StatusCommand) Help() string {
	return "Example:\n\n  cloud-mirror status --region us-west-2 https://example.com/a.zip"
}

// Run prints the state.
func (s *StatusCommand) Run(ctx context.Context) error {
	c := s.client()
	c.Token = s.Token
	status, err := c.Status(ctx, s.Service, s.Region, s.Object)
	if err != nil {
		return err
	}
	if s.JSON {
		return json.NewEncoder(os.Stdout).Encode(status)
	}
	_, err = fmt.Println(status)
	return err
}
