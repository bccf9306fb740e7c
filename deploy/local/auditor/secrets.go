package auditor

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// A Secret is a text that must be in no place that the auditor reads, in no usual encoding.
type Secret struct {
	Name, Text string
	// Planted is how often the product received the text. The URL of a request to the source counts
	// too. A secret that was never planted is a violation, because no place could show it.
	Planted int64
}

var queryKey = regexp.MustCompile(`query_keys:\s*- "([^"]+)"`)

// Credentials returns the secrets in the configuration that the stack's processes have read.
func Credentials(s *stack.Stack) ([]Secret, error) {
	var read strings.Builder
	read.WriteString(strings.Join(s.Env(), "\n"))
	for _, file := range []string{s.ConfigPath(), filepath.Join(s.StateDir(), "tokens")} {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read credentials: %w", err)
		}
		read.Write(text)
	}
	known := read.String()
	key := queryKey.FindStringSubmatch(known)
	if key == nil {
		return nil, errors.New("the configuration has no query key")
	}
	all := []Secret{
		{Name: "the bearer token", Text: stack.PurgeToken}, {Name: "the S3 secret key", Text: stack.SecretKey},
		{Name: "the redis password", Text: stack.RedisPassword}, {Name: "the query key", Text: key[1]},
	}
	for i := range all {
		all[i].Planted = int64(strings.Count(known, all[i].Text))
	}
	return all, nil
}

// spellings returns a text as it is, and as URLs, base64 and hex hold it.
func spellings(text string) []string {
	all := []string{text, url.QueryEscape(text), hex.EncodeToString([]byte(text))}
	for before := range 3 { // Bytes before the text in a group of three
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			encoded := e.EncodeToString([]byte(strings.Repeat(" ", before) + text))
			// The first and the last digit can depend on the neighbours of the text.
			all = append(all, encoded[(8*before+5)/6:8*(before+len(text))/6])
		}
	}
	return all
}

func checkSecrets(e *Evidence, o Limits, bad func(string, ...any)) {
	for _, secret := range o.Secrets {
		all := spellings(secret.Text)
		planted := secret.Planted > 0
		for _, s := range e.Sources {
			planted = planted || containsAny(s.URL, all)
		}
		if !planted {
			bad("control: the product never received %s", secret.Name)
		}
		for _, t := range e.Texts {
			if containsAny(t.Content, all) {
				bad("%s is in %s", secret.Name, t.Where)
			}
		}
	}
}

func containsAny(text string, all []string) bool {
	for _, one := range all {
		if strings.Contains(text, one) {
			return true
		}
	}
	return false
}
