package stack

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Credentials of the S3 servers, MinIO among them. The SQS endpoint takes any.
const (
	AccessKey = "local"
	SecretKey = "locallocal"
)

// PurgeToken is the bearer token of the purge route.
const PurgeToken = "local"

// Bucket is the base of the buckets' names.
const Bucket = "cloud-mirror-local"

const (
	modulePath   = "github.com/cloud-mirror/cloud-mirror"
	maxPort      = 65535
	maxFrontEnds = 64
)

// Regions are the regions that have an S3 server and a worker. The queue is in the first one.
func Regions() []string { return []string{"us-west-2", "us-east-1", "eu-central-1"} }

// Ports are the ports on 127.0.0.1, each as the environment variable of the same meaning sets it; 0 is a free port.
type Ports struct {
	FrontEnd   int // FRONTEND_PORT; further front ends are on the next ports that nothing else claims
	Admin      int // ADMIN_PORT: the first front end's admin listener; those of the others are on next ports likewise
	Temporal   int // TEMPORAL_PORT
	TemporalUI int // TEMPORAL_UI_PORT
	S3         int // S3_PORT: the first region's; the next regions are on the next two ports
	SQS        int // SQS_PORT
	Redis      int // REDIS_PORT
	Origin     int // ORIGIN_PORT
}

// DefaultPorts are those of a run without settings.
func DefaultPorts() Ports {
	return Ports{
		FrontEnd: 8080, Admin: 8081, Temporal: 7233, TemporalUI: 8233, S3: 9000, SQS: 9324, Redis: 6380, Origin: 8090,
	}
}

// portSetting is one field of Ports by the name of its variable.
type portSetting struct {
	variable string
	port     *int
	product  bool // not needed by the services
	span     int  // how many ports in a row it claims
}

// settings are in the order in which they are read, claimed and complained about.
func (p *Ports) settings() []portSetting {
	return []portSetting{
		{"FRONTEND_PORT", &p.FrontEnd, true, 1},
		{"ADMIN_PORT", &p.Admin, true, 1},
		{"TEMPORAL_PORT", &p.Temporal, false, 1},
		{"TEMPORAL_UI_PORT", &p.TemporalUI, true, 1},
		{"S3_PORT", &p.S3, false, len(Regions())},
		{"SQS_PORT", &p.SQS, false, 1},
		{"REDIS_PORT", &p.Redis, false, 1},
		{"ORIGIN_PORT", &p.Origin, true, 1},
	}
}

// Options say what to start. The zero value is everything, with one front end, on free ports, in .local.
type Options struct {
	// Root is the root of the repository; see FindRoot.
	Root string
	// StateDir keeps everything that outlives a run; .local below Root if empty. It is made if it is missing; a folder
	// that holds something else is refused.
	StateDir  string
	Ports     Ports
	FrontEnds int // 1 if zero
	// ServicesOnly leaves out cloud-mirror itself, the origin and Temporal's web UI, and adds MinIO: it is for tests.
	ServicesOnly bool
	// Binary is the path of cloud-mirror; built from Root if empty.
	Binary string
	// Race builds cloud-mirror with the race detector.
	Race bool
	// Env is added to the environment of the cloud-mirror processes, as in NAME=value. Later entries win.
	Env []string
	// Log takes progress and what happens to processes, a line each; nil drops it. Terminal says that it is one.
	Log      io.Writer
	Terminal bool
}

// FromEnv reads the settings that `make run` takes from the environment. The error is one line that names the variable
// and says how to mend it.
func FromEnv(getenv func(string) string, root string) (Options, error) {
	o := Options{Root: root, StateDir: getenv("STATE_DIR"), Ports: DefaultPorts(), FrontEnds: 1}
	for _, s := range o.Ports.settings() {
		if err := readInt(getenv, s.variable, 0, maxPort, s.port); err != nil {
			return Options{}, err
		}
	}
	if err := readInt(getenv, "FRONTENDS", 1, maxFrontEnds, &o.FrontEnds); err != nil {
		return Options{}, err
	}
	return o.complete()
}

func readInt(getenv func(string) string, variable string, low, high int, into *int) error {
	value := strings.TrimSpace(getenv(variable))
	if value == "" {
		return nil
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return fmt.Errorf("%s=%s is not a whole number from %d to %d; for example %s=%d", variable, value, low, high, variable, *into)
	}
	*into = n
	return nil
}

// complete fills in defaults.
func (o Options) complete() (Options, error) {
	if o.FrontEnds == 0 {
		o.FrontEnds = 1
	}
	if o.StateDir == "" {
		o.StateDir = ".local"
	}
	if !filepath.IsAbs(o.StateDir) {
		o.StateDir = filepath.Join(o.Root, o.StateDir)
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.FrontEnds < 0 || o.FrontEnds > maxFrontEnds {
		return o, fmt.Errorf("FRONTENDS=%d is not a whole number from 1 to %d", o.FrontEnds, maxFrontEnds)
	}
	return o, nil
}

// FindRoot is the root of the repository that the given folder is in: the folder whose go.mod is the product's.
func FindRoot(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := abs; ; at = filepath.Dir(at) {
		b, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), "module "+modulePath+"\n") {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not in a checkout of cloud-mirror", abs)
		}
	}
}
