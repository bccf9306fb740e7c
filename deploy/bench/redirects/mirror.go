package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/rig"
)

// mirrored is the path of the first object on the mirror route.
func mirrored() string { return mirrorPath(rig.Source(0)) }

// passed is a path that is never copied.
func passed() string { return mirrorPath(passedTo) }

func mirrorPath(url string) string {
	return "/v1/mirror/s3/" + client.Region + strings.TrimPrefix(url, "https:/")
}

// passedTo is as long as the URLs of objects.
const passedTo = rig.Upstream + "/index/00000000000000000000000000000000000/public/build/index/latest.json"

// checkMirror fails unless a front end redirects mirrored to a copy, and passed to the source.
func checkMirror(ctx context.Context, s *process.Server) error {
	for _, path := range []string{mirrored(), passed()} {
		resp, err := send(ctx, newClient(), s, path)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if path == mirrored() && !client.IsCopy(resp) || path == passed() && resp.Header.Get("Location") != passedTo {
			return fmt.Errorf("%s: %s to %q", path, resp.Status, resp.Header.Get("Location"))
		}
	}
	return nil
}
