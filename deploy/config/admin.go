package config

import "strings"

// Admin configures the page for people on the admin listener of workers.
type Admin struct {
	TemporalUI  string   `yaml:"temporal_ui" env:"TEMPORAL_UI" doc:"base URL of Temporal's Web UI, e.g. https://temporal.example.com, for the links of the page for people; without it, the page has no links"`
	FrontendURL string   `yaml:"frontend_url" env:"FRONTEND_URL" doc:"base URL by which clients reach the front ends, e.g. https://mirror.example.com, for the redirect URLs and the commands of that page"`
	Hosts       []string `yaml:"hosts" env:"HOSTS" envSeparator:" " doc:"names, e.g. mirror-ops.example.com, under which that page answers, besides IP addresses, localhost and names without a dot. Any other name may belong to a website that points it at this process"`
	Metrics     []string `yaml:"metrics" env:"METRICS" envSeparator:" " doc:"/metrics of all front ends and workers, e.g. http://front-1:8081/metrics, which that page adds up. A name with several addresses, such as that of a headless Service of Kubernetes, stands for a process at each; if empty, it shows the metrics of its own process, which has no clients"`
}

func (c *Config) validateAdmin() error {
	for _, u := range []struct{ key, value string }{
		{"admin.temporal_ui", c.Admin.TemporalUI}, {"admin.frontend_url", c.Admin.FrontendURL},
	} {
		if err := validateURL(u.key, u.value); err != nil {
			return err
		}
	}
	for _, host := range c.Admin.Hosts {
		if host == "" || strings.ContainsAny(host, ":/@ ") {
			return wrong("admin.hosts", "has %.100q, want a name without a port, e.g. mirror-ops.example.com", host)
		}
	}
	for _, m := range c.Admin.Metrics {
		if m == "" {
			return wrong("admin.metrics", "has an empty URL")
		}
		if err := validateURL("admin.metrics", m); err != nil {
			return err
		}
	}
	return nil
}
