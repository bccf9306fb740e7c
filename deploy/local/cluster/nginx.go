package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
)

// Nginx is the name of the load balancer.
const Nginx = "nginx"

// nginxConfig is a load balancer before front ends, with the settings that deploy/README.md asks
// for: an idle time above frontend.max_wait, and X-Forwarded-For. A request that a front end does
// not answer goes to the next one, which is nginx's default for GET and HEAD. With max_fails=0 nginx
// tries a front end that failed a moment ago: otherwise, two restarts in a row leave it none.
var nginxConfig = template.Must(template.New("nginx.conf").Parse(`daemon off;
{{if .Root}}user root root;
{{end}}pid {{.Dir}}/nginx.pid;
error_log stderr warn;
worker_processes 2;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path {{.Dir}}/body;
	proxy_temp_path {{.Dir}}/proxy;
	fastcgi_temp_path {{.Dir}}/fastcgi;
	uwsgi_temp_path {{.Dir}}/uwsgi;
	scgi_temp_path {{.Dir}}/scgi;
	upstream frontends {
{{range .FrontEnds}}		server {{.}} max_fails=0;
{{end}}		keepalive 64;
	}
	server {
		listen {{.Listen}};
		merge_slashes off;
		location / {
			proxy_pass http://frontends;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $remote_addr;
			proxy_connect_timeout 1s;
			proxy_read_timeout 330s;
		}
	}
}
`))

// StartNginx starts nginx before these front ends, which are base URLs.
func (c *Cluster) StartNginx(ctx context.Context, frontEnds []string) error {
	program, err := findNginx()
	if err != nil {
		return err
	}
	dir := filepath.Join(c.opts.Dir, Nginx)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("create the folder of nginx: %w", err)
	}
	c.proxy = c.port()
	var hosts []string
	for _, base := range frontEnds {
		hosts = append(hosts, strings.TrimPrefix(base, "http://"))
	}
	var text strings.Builder
	err = nginxConfig.Execute(&text, map[string]any{
		"Root": os.Geteuid() == 0, "Dir": dir, "Listen": address(c.proxy), "FrontEnds": hosts,
	})
	file := filepath.Join(dir, "nginx.conf")
	if err == nil {
		err = os.WriteFile(file, []byte(text.String()), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the configuration of nginx: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	return c.run(ctx, supervise.Spec{
		Name: Nginx, Path: program, Dir: dir, Env: programEnv(), Log: c.logPath(Nginx),
		Args: []string{"-p", dir, "-c", file, "-e", "stderr"}, Ready: pings(c.ProxyURL() + "/v1/ping"),
	})
}

// ProxyURL returns the base URL of nginx.
func (c *Cluster) ProxyURL() string { return "http://" + address(c.proxy) }

// findNginx returns the path of nginx, which is in the PATH of root only.
func findNginx() (string, error) {
	for _, name := range []string{Nginx, "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("nginx is missing: run ./deploy/install.sh nginx")
}

// pings returns a readiness check: a front end answers through nginx.
func pings(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := (&http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext}).RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", url, resp.Status)
		}
		return nil
	}
}
