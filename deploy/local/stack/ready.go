package stack

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// answers returns a readiness check: the status of an HTTP GET must satisfy the condition.
func answers(url string, good func(status int) bool) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		// No keep-alive: such a connection could belong to a process that has died.
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if good(resp.StatusCode) {
			return nil
		}
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return fmt.Errorf("%s: %s %s", url, resp.Status, strings.TrimSpace(string(body)))
	}
}

func ok(status int) bool { return status == http.StatusOK }

// alive accepts every status except a server error. An S3 server answers 403 to a request without a
// signature.
func alive(status int) bool { return status < http.StatusInternalServerError }

// pong returns a readiness check of redis. While redis loads its data, it accepts
// connections and serves nothing.
func pong(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		defer conn.Close()
		if deadline, ok := ctx.Deadline(); ok {
			_ = conn.SetDeadline(deadline)
		}
		if _, err := conn.Write([]byte("PING\r\n")); err != nil {
			return err
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err == nil && !strings.HasPrefix(line, "+PONG") {
			err = fmt.Errorf("redis answered %q", strings.TrimSpace(line))
		}
		return err
	}
}
