package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"
)

// variablePrefix starts the name of every variable that is a setting.
const variablePrefix = "CLOUD_MIRROR_"

// Load reads the defaults, then the file unless its name is empty, then the environment. The later
// value wins. Without a file, an error also says how to name one.
func Load(file string, environ []string) (Config, error) {
	c, err := load(file, environ)
	if err != nil && file == "" {
		err = fmt.Errorf("%w (no file was given with --config or %sCONFIG)", err, variablePrefix)
	}
	return c, err
}

func load(file string, environ []string) (Config, error) {
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

// decodeFile is strict: an unknown key is a mistake.
func decodeFile(data []byte, c *Config) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(c)
	if err == nil {
		return nil
	}
	for _, s := range settings() {
		if !decodes(data, s.key) {
			return wrong(s.key, "want %s", s.want())
		}
	}
	// The library's long form shows lines of the file, which may hold secrets.
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
		message = "is not valid YAML for this configuration"
	}
	return fmt.Errorf("line %d: %s", line, strings.Replace(message, "unknown field", "unknown key", 1))
}

// decodes reports whether the setting's value can be decoded, or is missing. The library's error
// does not name the setting.
func decodes(data []byte, key string) bool {
	section, name, _ := strings.Cut(key, ".")
	var file map[string]any
	if yaml.Unmarshal(data, &file) != nil {
		return true
	}
	of, _ := file[section].(map[string]any)
	value, ok := of[name]
	if !ok {
		return true
	}
	one, err := yaml.Marshal(map[string]any{section: map[string]any{name: value}})
	return err != nil || yaml.Unmarshal(one, &Config{}) == nil
}

// decodeEnv is strict too. A variable with the prefix must be a setting, a flag of the command
// line, or one that Kubernetes sets.
func decodeEnv(environ []string, c *Config) error {
	variables := env.ToMap(environ)
	known := []string{variablePrefix + "CONFIG", variablePrefix + "SERVER", variablePrefix + "TOKEN"}
	for _, s := range settings() {
		known = append(known, s.variable)
		value, ok := variables[s.variable]
		if !ok || s.variable == "" {
			continue
		}
		// Parse one variable at a time, so that the error can name it. The library's error repeats
		// the value, which may be secret.
		one := env.Options{Prefix: variablePrefix, Environment: map[string]string{s.variable: value}}
		if err := env.ParseWithOptions(c, one); err != nil {
			return wrong("environment: "+s.variable, "want %s", s.want())
		}
	}
	for name := range variables {
		if strings.HasPrefix(name, variablePrefix) && !slices.Contains(known, name) && !serviceLink(name) {
			return fmt.Errorf("environment: %s is not a setting", name)
		}
	}
	return nil
}

// serviceLink reports whether Kubernetes sets the variable for a service named cloud-mirror or
// cloud-mirror-something, see
// https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
func serviceLink(name string) bool {
	return regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_(TCP|UDP|SCTP)(_.*)?)?)$`).MatchString(name)
}
