package permissions

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// policy is a policy document of IAM, as far as ours go.
type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Effect           string
	Action, Resource list
}

// list is a string or a list of strings.
type list []string

// UnmarshalJSON accepts both forms.
func (l *list) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = list{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

// placeholder is that of a template of Terraform.
var placeholder = regexp.MustCompile(`\$\{(\w+)\}`)

// resources are the values of the placeholders, as JSON. They name resources as [Recorder.Needs]
// does.
func resources() map[string]string {
	return map[string]string{
		"buckets": `["bucket"]`, "objects": `["bucket/*"]`, "sources": `["source/*"]`,
		"queue": `"queue"`, "dead_queue": `"queue_dead"`,
	}
}

// Allowed returns what the policies in the files allow together, sorted, as ACTION RESOURCE. An
// action with a wildcard, a condition, or anything but Allow is an error.
func Allowed(files ...string) ([]string, error) {
	found := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if err := allow(string(text), found); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// allow adds what a policy allows.
func allow(template string, found map[string]bool) error {
	var unknown []string
	text := placeholder.ReplaceAllStringFunc(template, func(name string) string {
		value, ok := resources()[placeholder.FindStringSubmatch(name)[1]]
		if !ok {
			unknown = append(unknown, name)
		}
		return value
	})
	if len(unknown) > 0 {
		return fmt.Errorf("no value for %s", strings.Join(unknown, ", "))
	}
	var p policy
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return err
	}
	if p.Version != "2012-10-17" || len(p.Statement) == 0 {
		return fmt.Errorf("version %q with %d statements", p.Version, len(p.Statement))
	}
	for _, s := range p.Statement {
		if s.Effect != "Allow" || len(s.Action) == 0 || len(s.Resource) == 0 {
			return fmt.Errorf("statement %+v does not allow actions on resources", s)
		}
		for _, action := range s.Action {
			if strings.Contains(action, "*") {
				return fmt.Errorf("action %s has a wildcard", action)
			}
			for _, resource := range s.Resource {
				pair := action + " " + resource
				if found[pair] {
					return fmt.Errorf("%s is allowed twice", pair)
				}
				found[pair] = true
			}
		}
	}
	return nil
}
