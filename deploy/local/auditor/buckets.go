package auditor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// sweepTimeout bounds the sweep of one bucket.
const sweepTimeout = 30 * time.Second

func poolOf(region string) string { return "s3_" + region }

// call sends a signed request about a key of a region's bucket. The caller closes the body.
func (a *Auditor) call(ctx context.Context, region, key string, query url.Values) (*http.Response, error) {
	u := a.stack.S3Endpoint(region) + "/" + stack.Bucket + "-" + region + "/" + key + "?" + query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(nil)
	payload := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", payload)
	creds := aws.Credentials{AccessKeyID: stack.AccessKey, SecretAccessKey: stack.SecretKey}
	if err := v4.NewSigner().SignHTTP(ctx, creds, req, payload, "s3", region, time.Now()); err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(req)
}

// list sends a request and decodes its answer, which is XML.
func (a *Auditor) list(ctx context.Context, region string, query url.Values, into any) error {
	resp, err := a.call(ctx, region, "", query)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("list bucket in %s: %s", region, resp.Status)
	}
	return xml.NewDecoder(resp.Body).Decode(into)
}

// buckets reads the copies and the open uploads of these objects.
func (a *Auditor) buckets(ctx context.Context, e *Evidence, about map[string]bool) error {
	for _, region := range stack.Regions() {
		for token := ""; ; {
			query := url.Values{"list-type": {"2"}}
			if token != "" {
				query.Set("continuation-token", token)
			}
			var page struct {
				NextContinuationToken string
				Contents              []struct{ Key, ETag string }
			}
			if err := a.list(ctx, region, query, &page); err != nil {
				return err
			}
			for _, o := range page.Contents {
				if !about[hashOfKey(o.Key)] {
					continue
				}
				if err := a.copied(ctx, e, region, o.Key, o.ETag); err != nil {
					return err
				}
			}
			if token = page.NextContinuationToken; token == "" {
				break
			}
		}
		var open struct {
			Upload []struct {
				Key string
				ID  string `xml:"UploadId"`
			}
		}
		if err := a.list(ctx, region, url.Values{"uploads": {""}}, &open); err != nil {
			return err
		}
		for _, u := range open.Upload {
			if hash := hashOfKey(u.Key); about[hash] {
				e.Uploads = append(e.Uploads, Upload{poolOf(region), hash, u.Key, u.ID})
			}
		}
	}
	return nil
}

// copied reads a copy, unless it has done so before. An object that was deleted meanwhile is none.
func (a *Auditor) copied(ctx context.Context, e *Evidence, region, key, etag string) error {
	resp, err := a.call(ctx, region, key, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return nil
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("read %s in %s: %s", key, region, resp.Status)
	}
	e.Texts = append(e.Texts, Text{"the metadata of " + key, key + fmt.Sprint(resp.Header)})
	id := region + "/" + key + etag + resp.Header.Get("Last-Modified")
	a.mu.Lock()
	c, known := a.digests[id]
	a.mu.Unlock()
	if !known {
		sum := sha256.New()
		size, err := io.Copy(sum, resp.Body)
		if err != nil {
			return fmt.Errorf("read %s in %s: %w", key, region, err)
		}
		c = Copy{poolOf(region), hashOfKey(key), key, size, hex.EncodeToString(sum.Sum(nil))}
		a.mu.Lock()
		a.digests[id] = c
		a.mu.Unlock()
	}
	e.Copies = append(e.Copies, c)
	return nil
}

// sweep aborts the uploads that no run owns, as the schedule does every hour.
func (a *Auditor) sweep(ctx context.Context, e *Evidence) {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	for _, region := range stack.Regions() {
		if !slices.ContainsFunc(e.Uploads, func(u Upload) bool { return u.Pool == poolOf(region) }) {
			continue
		}
		run, err := a.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID: "audit-sweep-" + region, TaskQueue: "copy-" + poolOf(region),
		}, "SweepUploads", map[string]any{"olderThan": 0})
		if err == nil {
			_ = run.Get(ctx, nil) // The next listing shows the rest
		}
	}
}
