package stack

import (
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestFromEnv(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want string // In the error; empty for none
	}{
		{"nothing set", nil, ""},
		{"FRONTENDS is not a number", map[string]string{"FRONTENDS": "x"}, "FRONTENDS=x is not a whole number from 1 to 64; for example FRONTENDS=1"},
		{"no front ends", map[string]string{"FRONTENDS": "0"}, "FRONTENDS=0 is not"},
		{"a port above the last", map[string]string{"FRONTEND_PORT": "99999"}, "FRONTEND_PORT=99999 is not a whole number from 0 to 65535; for example FRONTEND_PORT=8080"},
		{"a negative port", map[string]string{"S3_PORT": "-1"}, "S3_PORT=-1 is not"},
		{"a port with a fraction", map[string]string{"REDIS_PORT": "6380.5"}, "REDIS_PORT=6380.5 is not"},
		{"all set", map[string]string{
			"FRONTEND_PORT": "1", "ADMIN_PORT": "2", "TEMPORAL_PORT": "3", "TEMPORAL_UI_PORT": "4", "S3_PORT": "5",
			"SQS_PORT": "6", "REDIS_PORT": "7", "ORIGIN_PORT": "8", "FRONTENDS": "9", "STATE_DIR": "/elsewhere",
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := FromEnv(func(name string) string { return tt.env[name] }, "/root-of-the-repository")
			switch {
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n")):
				t.Errorf("error is %v, want one line with %q", err, tt.want)
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.name == "nothing set" && (o.Ports != DefaultPorts() || o.FrontEnds != 1 || o.StateDir != "/root-of-the-repository/.local"):
				t.Errorf("options are %+v", o)
			case tt.name == "all set" && (o.Ports != Ports{1, 2, 3, 4, 5, 6, 7, 8} || o.FrontEnds != 9 || o.StateDir != "/elsewhere"):
				t.Errorf("options are %+v", o)
			}
		})
	}
}

// base returns the first of a row of ports that are unused during the test.
func base(t *testing.T) int {
	t.Helper()
	p := &plan{claimed: map[int]string{}}
	if err := p.reserve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.release)
	return p.next
}

// at returns settings in one row of ports, with a gap after each that derives others.
func at(b int) Ports {
	return Ports{FrontEnd: b, Admin: b + 1, Origin: b + 10, Temporal: b + 20, TemporalUI: b + 21, S3: b + 30, SQS: b + 40, Redis: b + 50}
}

// hold listens on a port until the test ends.
func hold(t *testing.T, port int) {
	t.Helper()
	l, err := net.Listen("tcp", address(port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

func TestAllocate(t *testing.T) {
	b := base(t)
	hold(t, b+4)
	taken := at(b)
	taken.FrontEnd = b + 4
	s3Taken := at(b)
	s3Taken.S3 = b + 2
	same := at(b)
	same.Redis = same.SQS
	last := at(b)
	last.S3 = 65534
	tests := []struct {
		name      string
		options   Options
		frontEnds []int
		admins    []int // Of front ends, then of workers
		want      string
	}{
		{"one front end", Options{Ports: at(b), FrontEnds: 1}, []int{b}, []int{b + 1, b + 2, b + 3, b + 5}, ""},
		{"the second front end skips ADMIN_PORT, admin listeners skip a taken port", Options{Ports: at(b), FrontEnds: 2}, []int{b, b + 2}, []int{b + 1, b + 3, b + 5, b + 6, b + 7}, ""},
		{"a taken port", Options{Ports: taken, FrontEnds: 1}, nil, nil, "FRONTEND_PORT=" + strconv.Itoa(b+4) + ": port " + strconv.Itoa(b+4) + " on 127.0.0.1 is taken"},
		{"a taken port of the second or third region", Options{Ports: s3Taken, FrontEnds: 1}, nil, nil, "S3_PORT=" + strconv.Itoa(b+2)},
		{"a taken port of a further front end", Options{Ports: at(b), FrontEnds: 4}, nil, nil, "front end 4 of FRONTENDS=4"},
		{"two settings with one port", Options{Ports: same, FrontEnds: 1}, nil, nil, "claim the same port"},
		{"above the last port", Options{Ports: last, FrontEnds: 1}, nil, nil, "S3_PORT=65534 (which also takes port 65536) is beyond the last port"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := allocate(tt.options)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
					t.Fatalf("error is %v, want one line with %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer p.release()
			if !slices.Equal(p.frontEnds, tt.frontEnds) {
				t.Errorf("front ends are on %v, want %v", p.frontEnds, tt.frontEnds)
			}
			if admins := slices.Concat(p.frontEndAdmins, p.workerAdmins); !slices.Equal(admins, tt.admins) {
				t.Errorf("admin listeners are on %v, want %v", admins, tt.admins)
			}
		})
	}
}

// TestFreePortsAreDistinct holds several plans at a time. They must not share a port, although none
// of them listens yet.
func TestFreePortsAreDistinct(t *testing.T) {
	seen := map[int]bool{}
	for i := range 10 {
		o := Options{FrontEnds: 3, ServicesOnly: i%2 == 1}
		p, err := allocate(o)
		if err != nil {
			t.Fatal(err)
		}
		defer p.release()
		all := slices.Concat(p.frontEnds, p.frontEndAdmins, p.workerAdmins, p.s3,
			[]int{p.temporal, p.temporalHTTP, p.metrics, p.sqs, p.redis})
		if o.ServicesOnly {
			all = append(all, p.minio)
		} else {
			all = append(all, p.temporalUI, p.origin)
		}
		for _, port := range all {
			if port == 0 || seen[port] {
				t.Errorf("port %d is 0 or assigned twice", port)
			}
			seen[port] = true
		}
	}
}

func TestStateFolder(t *testing.T) {
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.tex"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openState(foreign); err == nil || !strings.Contains(err.Error(), "did not create") {
		t.Errorf("a folder with other files: %v", err)
	}
	if err := Clean(foreign); err == nil || !strings.Contains(err.Error(), "not removed") {
		t.Errorf("Clean of a folder with other files: %v", err)
	}

	path := filepath.Join(t.TempDir(), "a", "state")
	d, err := openState(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"a second run": second(path), "Clean": Clean(path)} {
		want := "is in use by the run with process id " + strconv.Itoa(os.Getpid())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s during a run: %v, want %q", name, err, want)
		}
	}
	key, err := d.queryKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.release(); err != nil {
		t.Fatal(err)
	}

	if d, err = openState(path); err != nil {
		t.Fatal(err)
	}
	if again, err := d.queryKey(); err != nil || again != key {
		t.Errorf("the query key changed: %v", err)
	}
	if info, err := os.Stat(d.join("query_key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the query key's file is %v (%v)", info, err)
	}
	if err := d.release(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Clean(path); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the folder exists after Clean")
	}
}

func second(path string) error {
	_, err := openState(path)
	return err
}

const wantConfig = `log:
  level: info
  format: json
frontend:
  listen: 127.0.0.1:1
  admin_listen: 127.0.0.1:2
  max_wait: 28s
  tokens_file: /state/tokens
mirror:
  upstreams:
  - url: http://localhost:9
    name: local
    copy:
    - ^/files/
    min_size: 0
source:
  allowed:
  - http://127.0.0.1:*/
  - https://127.0.0.1:*/
  - http://localhost:*/
  - https://localhost:*/
  - http://[::1]:*/
  ensure_ssl: false
  allowed_networks:
  - 127.0.0.0/8
  - ::1/128
  query_keys:
  - a2V5
redis:
  url: redis://default:local-redis-password-that-is-no-secret@127.0.0.1:3/0
sqs:
  queue: cloud-mirror
  region: us-west-2
  endpoint: http://127.0.0.1:4
s3:
  bucket_base: cloud-mirror-local
worker:
  admin_listen: 127.0.0.1:5
admin:
  temporal_ui: http://127.0.0.1:10
  frontend_url: http://127.0.0.1:1
  metrics: ["http://127.0.0.1:2/metrics", "http://127.0.0.1:5/metrics"]
pools:
- service: s3
  region: us-west-2
  endpoint: http://127.0.0.1:6
  path_style: true
- service: s3
  region: us-east-1
  endpoint: http://127.0.0.1:7
  path_style: true
- service: s3
  region: eu-central-1
  endpoint: http://127.0.0.1:8
  path_style: true
`

func TestConfigFile(t *testing.T) {
	p := &plan{frontEnds: []int{1}, frontEndAdmins: []int{2}, redis: 3, sqs: 4, workerAdmins: []int{5}, s3: []int{6, 7, 8}, origin: 9, temporalUI: 10}
	path := filepath.Join(t.TempDir(), "cloud-mirror.yaml")
	if err := newConfigValues(p, "/state/tokens", "a2V5").write(path); err != nil {
		t.Fatal(err)
	}
	if got, want := readConfig(t, path), parseConfig(t, wantConfig); !reflect.DeepEqual(got, want) {
		t.Errorf("the file has\n%v, want\n%v", got, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v (%v)", info, err)
	}
}

// TestConfigFileQuotesValues renders values that plain YAML would read as something else, or
// refuse.
func TestConfigFileQuotesValues(t *testing.T) {
	for _, value := range []string{
		`"quoted"`, "'single'", "a: b", "a #b", "- a", "{a: b}", "[a]", "*a", "&a", "!a", "%a", "@a", "|", ">", "?", "true", "null", "~",
		"1e3", "", " a ", "a\nb: c", "a\tb", `a\b`, "a\x00b", "Übergröße ✓ 🙂", "{{.TokensFile}}",
	} {
		path := filepath.Join(t.TempDir(), "cloud-mirror.yaml")
		v := configValues{TokensFile: value, Pools: []poolValues{{Region: value}}}
		if err := v.write(path); err != nil {
			t.Fatal(err)
		}
		config := readConfig(t, path)
		token := config["frontend"].(map[string]any)["tokens_file"]
		region := config["pools"].([]any)[0].(map[string]any)["region"]
		if token != value || region != value {
			t.Errorf("%q is read as %q and %q", value, token, region)
		}
	}
}

func readConfig(t *testing.T, path string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return parseConfig(t, string(b))
}

func parseConfig(t *testing.T, text string) (config map[string]any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	return config
}
