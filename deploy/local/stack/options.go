package stack

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Credentials of the S3 servers, including MinIO. The SQS endpoint accepts any.
const (
	AccessKey = "local"
	SecretKey = "locallocal"
)

// RedisPassword is the password that cloud-mirror sends to redis. The redis of the local stack
// accepts any: the password is there to be looked for.
const RedisPassword = "local-redis-password-that-is-no-secret"

// PurgeToken is the bearer token of the local stack. It has all scopes.
const PurgeToken = "local-stack-token-that-is-no-secret"

// Bucket is the base of the buckets' names.
const Bucket = "cloud-mirror-local"

const (
	modulePath   = "github.com/cloud-mirror/cloud-mirror"
	maxPort      = 65535
	maxFrontEnds = 64
)

// Regions returns the regions with an S3 server and a worker. The first region has the queue.
func Regions() []string { return []string{"us-west-2", "us-east-1", "eu-central-1"} }

// Ports are the ports on 127.0.0.1. A comment names the environment variable of each. 0 takes a
// free port.
type Ports struct {
	FrontEnd   int // FRONTEND_PORT; more front ends take the next ports that no other setting claims
	Admin      int // ADMIN_PORT, of the first front end; other processes take next ports in the same way
	Temporal   int // TEMPORAL_PORT
	TemporalUI int // TEMPORAL_UI_PORT
	S3         int // S3_PORT, of the first region; the other two regions take the next two ports
	SQS        int // SQS_PORT
	Redis      int // REDIS_PORT
	Origin     int // ORIGIN_PORT
}

// DefaultPorts returns the ports of a run without settings.
func DefaultPorts() Ports {
	return Ports{
		FrontEnd: 8080, Admin: 8081, Temporal: 7233, TemporalUI: 8233, S3: 9000, SQS: 9324, Redis: 6380, Origin: 8090,
	}
}

// portSetting is a field of Ports with the name of its variable.
type portSetting struct {
	variable string
	port     *int
	product  bool // The services don't need it
	temporal bool // An existing Temporal doesn't need it
	span     int  // The number of consecutive ports that it claims
}

// settings are in the order in which they are read and claimed, and in which errors name them.
func (p *Ports) settings() []portSetting {
	return []portSetting{
		{"FRONTEND_PORT", &p.FrontEnd, true, false, 1},
		{"ADMIN_PORT", &p.Admin, true, false, 1},
		{"TEMPORAL_PORT", &p.Temporal, false, true, 1},
		{"TEMPORAL_UI_PORT", &p.TemporalUI, true, true, 1},
		{"S3_PORT", &p.S3, false, false, len(Regions())},
		{"SQS_PORT", &p.SQS, false, false, 1},
		{"REDIS_PORT", &p.Redis, false, false, 1},
		{"ORIGIN_PORT", &p.Origin, true, false, 1},
	}
}

// Options configures a Stack. The zero value starts everything, with one front end, on free ports
// and in .local.
type Options struct {
	// Root is the root of the repository; see FindRoot.
	Root string
	// StateDir keeps all state between runs. The default is .local below Root. Start creates a
	// missing folder, and refuses a folder with other files.
	StateDir  string
	Ports     Ports
	FrontEnds int // 1 by default
	// Temporal is an existing service. The stack starts its own if it is nil.
	Temporal *Temporal
	// WorkersPerRegion is 1 by default.
	WorkersPerRegion int
	// Bridges is how many workers bridge from SQS to Temporal. By default all of them do.
	Bridges int
	// ServicesOnly is for tests. It leaves out cloud-mirror itself, the origin and Temporal's web
	// UI, and adds MinIO.
	ServicesOnly bool
	// Binary is the path of cloud-mirror. By default it is built from Root.
	Binary string
	// Race builds cloud-mirror with the race detector.
	Race bool
	// Env is added to the environment of the cloud-mirror processes, as NAME=value. Later entries
	// win.
	Env []string
	// Route returns the address, host and port, by which cloud-mirror reaches a service, such as a
	// proxy's. It gets the name of the service, and the service's own address. Nil routes nothing.
	Route func(name, address string) (string, error)
	// OnMessage receives each message that SQS accepts: the queue's name, and the body. Nil drops
	// them.
	OnMessage func(queue, body string)
	// Log receives the progress of the start and the events of processes, a line each. By default
	// they are dropped. Terminal tells that Log is a terminal.
	Log      io.Writer
	Terminal bool
}

// FromEnv reads the settings of `make run` from the environment. Its error is one line that names
// the variable and the fix.
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

// complete sets defaults.
func (o Options) complete() (Options, error) {
	if o.FrontEnds == 0 {
		o.FrontEnds = 1
	}
	o.WorkersPerRegion = max(1, o.WorkersPerRegion)
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

// FindRoot returns the root of the repository around a folder: the folder of the product's go.mod.
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
