package config

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"
)

// Prefix of the environment variables that are settings.
const Prefix = "CLOUD_MIRROR_"

// Load reads the configuration: the defaults, then the file, if one is named, then the environment.
func Load(file string, environ []string) (Config, error) {
	c := Default()
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return Config{}, fmt.Errorf("configuration: %w", err)
		}
		if err := decodeFile(data, &c); err != nil {
			return Config{}, fmt.Errorf("%s: %w", file, err)
		}
	}
	if err := decodeEnv(environ, &c); err != nil {
		return Config{}, err
	}
	if err := c.validate(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// decodeFile is strict: a key that is not known is a mistake.
func decodeFile(data []byte, c *Config) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(c)
	if err == nil {
		return nil
	}
	if key := culprit(data); key != "" {
		return fmt.Errorf("%s: has a value of the wrong type", key)
	}
	// The library's long form shows lines of the file, secrets and all.
	var y yaml.Error
	if !errors.As(err, &y) {
		return errors.New("is not a configuration file")
	}
	line := 0
	if t := y.GetToken(); t != nil && t.Position != nil {
		line = t.Position.Line
	}
	message := y.GetMessage()
	if !strings.HasPrefix(message, "unknown field") && !strings.HasPrefix(message, "mapping key") {
		message = "is not YAML of the form that is wanted here"
	}
	return fmt.Errorf("line %d: %s", line, strings.Replace(message, "unknown field", "unknown key", 1))
}

// culprit finds the setting whose value can't be decoded, by decoding them one by one: the library does not name it. It
// is empty if the fault is something else.
func culprit(data []byte) string {
	var sections map[string]any
	if yaml.Unmarshal(data, &sections) != nil {
		return ""
	}
	for _, section := range slices.Sorted(maps.Keys(sections)) {
		settings, _ := sections[section].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(settings)) {
			one, err := yaml.Marshal(map[string]any{section: map[string]any{key: settings[key]}})
			if err == nil && yaml.Unmarshal(one, &Config{}) != nil {
				return section + "." + key
			}
		}
	}
	return ""
}

// decodeEnv is strict as well, but for the names that are not settings.
func decodeEnv(environ []string, c *Config) error {
	opts := env.Options{Prefix: Prefix, Environment: env.ToMap(environ)}
	params, err := env.GetFieldParamsWithOptions(c, opts)
	if err != nil {
		return fmt.Errorf("environment: %w", err)
	}
	known := []string{Prefix + "CONFIG", Prefix + "SERVER", Prefix + "TOKEN"}
	for _, p := range params {
		known = append(known, p.Key)
	}
	for name := range opts.Environment {
		if strings.HasPrefix(name, Prefix) && !slices.Contains(known, name) && !serviceLink(name) {
			return fmt.Errorf("environment: %s is not a setting", name)
		}
	}
	for _, p := range params {
		value, ok := opts.Environment[p.Key]
		if !ok {
			continue
		}
		// One at a time, so that the error can name the variable; the library's own repeats the value, which may be secret.
		one := env.Options{Prefix: Prefix, Environment: map[string]string{p.Key: value}}
		if err := env.ParseWithOptions(c, one); err != nil {
			return fmt.Errorf("environment: %s has a value of the wrong type", p.Key)
		}
	}
	return nil
}

// serviceLink tells the variables that Kubernetes sets for a service named cloud-mirror or cloud-mirror-something
// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
func serviceLink(name string) bool {
	return regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_(TCP|UDP|SCTP)(_.*)?)?)$`).MatchString(name)
}
