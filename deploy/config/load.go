package config

import (
	"bytes"
	"cmp"
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
	c, err := decode(file, environ)
	if err == nil {
		err = c.validate()
	}
	if err != nil {
		return Config{}, err
	}
	return c, nil
}

// decode is load without the validation.
func decode(file string, environ []string) (Config, error) {
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
	return c, nil
}

// decodeFile is strict: an unknown key is a mistake.
func decodeFile(data []byte, c *Config) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	if err := checkRenamed(data); err != nil {
		return err
	}
	err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(c)
	if err == nil {
		return nil
	}
	for _, s := range settings() {
		if key := s.undecodable(data); key != "" {
			return wrong(key, "want %s", s.want())
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

// undecodable returns the key of a value of this setting that can't be decoded, or "". The
// library's error does not name the setting.
func (s setting) undecodable(data []byte) string {
	var file any
	if yaml.Unmarshal(data, &file) != nil {
		return ""
	}
	return undecodable(file, s.key, "", func(value any) any { return value })
}

// undecodable looks for the key rest below a node of the file. The node's own key is path. wrap
// returns a file that holds only its argument, at the place of the node. undecodable tries each
// element of a list.
func undecodable(node any, rest, path string, wrap func(any) any) string {
	if rest == "" {
		one, err := yaml.Marshal(wrap(node))
		if err != nil || yaml.Unmarshal(one, &Config{}) == nil {
			return ""
		}
		return strings.TrimPrefix(path, ".")
	}
	name, rest, _ := strings.Cut(rest, ".")
	name, isList := strings.CutSuffix(name, "[]")
	of, _ := node.(map[string]any)
	value, ok := of[name]
	if !ok {
		return ""
	}
	in := func(value any) any { return wrap(map[string]any{name: value}) }
	if !isList {
		return undecodable(value, rest, path+"."+name, in)
	}
	list, _ := value.([]any)
	for i, element := range list {
		key := undecodable(element, rest, fmt.Sprintf("%s.%s[%d]", path, name, i), func(value any) any { return in([]any{value}) })
		if key != "" {
			return key
		}
	}
	return ""
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
			return cmp.Or(renamedVariable(name), fmt.Errorf("environment: %s is not a setting", name))
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
