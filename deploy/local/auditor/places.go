package auditor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// entries reads all keys of redis, and the entries of these objects.
func (a *Auditor) entries(ctx context.Context, e *Evidence, about map[string]bool) error {
	for cursor := uint64(0); ; {
		keys, next, err := a.redis.Scan(ctx, cursor, "*", 1000).Result()
		if err != nil {
			return fmt.Errorf("read redis: %w", err)
		}
		if err := a.readKeys(ctx, e, about, keys); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// readKeys reads the values of keys in one round trip, and of hashes in one more for each.
func (a *Auditor) readKeys(ctx context.Context, e *Evidence, about map[string]bool, keys []string) error {
	ttls, values := make([]*redis.DurationCmd, len(keys)), make([]*redis.StringCmd, len(keys))
	pipe := a.redis.Pipeline()
	for i, key := range keys {
		ttls[i], values[i] = pipe.PTTL(ctx, key), pipe.Get(ctx, key)
	}
	_, _ = pipe.Exec(ctx) // Each command holds its own error
	for i, key := range keys {
		ttl, err := ttls[i].Result()
		if err != nil {
			return fmt.Errorf("read redis: %w", err)
		}
		value, err := values[i].Result()
		switch {
		case err == redis.Nil: //nolint:errorlint // The client returns it unwrapped
			continue // It has expired
		case err != nil && strings.HasPrefix(err.Error(), "WRONGTYPE"):
			fields, err := a.redis.HGetAll(ctx, key).Result()
			if err == nil {
				value = fmt.Sprint(fields)
			}
		case err != nil:
			return fmt.Errorf("read redis: %w", err)
		}
		e.Texts = append(e.Texts, Text{"redis", key + " " + value})
		if entry, ok := parseEntry(key, value, ttl); ok && about[entry.Hash] {
			e.Entries = append(e.Entries, entry)
		}
	}
	return nil
}

// processes returns the admin URL of each process of the stack.
func (a *Auditor) processes() map[string]string {
	all := map[string]string{}
	for _, name := range a.stack.Names() {
		if admin := a.stack.AdminURL(name); admin != "" && a.stack.PID(name) != 0 {
			all[name] = admin
		}
	}
	return all
}

// usage scrapes all processes at the same time.
func (a *Auditor) usage(ctx context.Context) (map[string]Usage, []Text, error) {
	var (
		mu    sync.Mutex
		use   = map[string]Usage{}
		texts []Text
	)
	group, ctx := errgroup.WithContext(ctx)
	for name, admin := range a.processes() {
		group.Go(func() error {
			text, err := scrape(ctx, admin+"/metrics")
			if err != nil {
				return fmt.Errorf("scrape %s: %w", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			texts = append(texts, Text{"the metrics of " + name, text})
			use[name] = parseUsage(text)
			return nil
		})
	}
	return use, texts, group.Wait()
}

func scrape(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

var gauge = regexp.MustCompile(`(?m)^(go_goroutines|process_open_fds|go_memstats_heap_alloc_bytes) (\S+)$`)

// parseUsage reads Go's own metrics.
func parseUsage(text string) (u Usage) {
	for _, m := range gauge.FindAllStringSubmatch(text, -1) {
		v, _ := strconv.ParseFloat(m[2], 64)
		switch m[1] {
		case "go_goroutines":
			u.Goroutines = v
		case "process_open_fds":
			u.Descriptors = v
		default:
			u.Memory = v
		}
	}
	return u
}

// logs reads the logs of all processes, also of those that have ended.
func (a *Auditor) logs(e *Evidence) error {
	files, err := filepath.Glob(filepath.Join(a.stack.LogDir(), "*.log"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no logs in %s", a.stack.LogDir())
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		e.Texts = append(e.Texts, Text{filepath.Base(file), string(text)})
	}
	return nil
}

// Statuses returns the documented statuses of each route, by the method and the route's first two
// segments, such as "GET /v1/redirect". It reads the API reference that a front end serves.
func Statuses(ctx context.Context, s *stack.Stack) (map[string][]string, error) {
	text, err := scrape(ctx, s.FrontEndURLs()[0]+"/v1/api-reference")
	if err != nil {
		return nil, fmt.Errorf("read the API reference: %w", err)
	}
	return parseReference(text)
}
