package stack

import (
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/renameio/v2"
)

// Config is the configuration file of cloud-mirror, as far as a local set-up sets it. The product documents its keys.
type Config struct {
	Log      LogConfig      `yaml:"log"`
	FrontEnd FrontEndConfig `yaml:"frontend"`
	Source   SourceConfig   `yaml:"source"`
	Redis    RedisConfig    `yaml:"redis"`
	SQS      SQSConfig      `yaml:"sqs"`
	S3       S3Config       `yaml:"s3"`
	Worker   WorkerConfig   `yaml:"worker"`
	Pools    []PoolConfig   `yaml:"pools"`
}

// LogConfig is the section log.
type LogConfig struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// FrontEndConfig is the section frontend.
type FrontEndConfig struct {
	Listen      string `yaml:"listen"`
	AdminListen string `yaml:"admin_listen"`
	MaxWait     string `yaml:"max_wait"`
	PurgeToken  string `yaml:"purge_token"`
}

// SourceConfig is the section source.
type SourceConfig struct {
	AllowedPatterns []string `yaml:"allowed_patterns"`
	EnsureSSL       bool     `yaml:"ensure_ssl"`
	AllowedNetworks []string `yaml:"allowed_networks"`
}

// RedisConfig is the section redis.
type RedisConfig struct {
	URL string `yaml:"url"`
}

// SQSConfig is the section sqs.
type SQSConfig struct {
	Queue    string `yaml:"queue"`
	Region   string `yaml:"region"`
	Endpoint string `yaml:"endpoint"`
}

// S3Config is the section s3.
type S3Config struct {
	BucketBase string `yaml:"bucket_base"`
}

// WorkerConfig is the section worker.
type WorkerConfig struct {
	AdminListen string   `yaml:"admin_listen"`
	QueryKeys   []string `yaml:"query_keys"`
}

// PoolConfig is one entry of pools.
type PoolConfig struct {
	Service   string `yaml:"service"`
	Region    string `yaml:"region"`
	Endpoint  string `yaml:"endpoint"`
	PathStyle bool   `yaml:"path_style"`
}

// maxWait is the product's own default, written down so that the file shows it.
const maxWait = 28 * time.Second

// newConfig lets loopback sources in, which a real installation must not.
func newConfig(p *plan, queryKey string) Config {
	c := Config{
		Log: LogConfig{Level: "info", Format: "json"},
		FrontEnd: FrontEndConfig{
			Listen: address(p.frontEnds[0]), AdminListen: address(p.frontEndAdmins[0]),
			MaxWait: maxWait.String(), PurgeToken: PurgeToken,
		},
		Source: SourceConfig{AllowedPatterns: []string{"^https?://"}, AllowedNetworks: []string{"127.0.0.0/8", "::1/128"}},
		Redis:  RedisConfig{URL: redisURL(p.redis)},
		SQS:    SQSConfig{Queue: "cloud-mirror", Region: Regions()[0], Endpoint: httpURL(p.sqs)},
		S3:     S3Config{BucketBase: Bucket},
		Worker: WorkerConfig{AdminListen: address(p.workerAdmins[0]), QueryKeys: []string{queryKey}},
	}
	for i, region := range Regions() {
		c.Pools = append(c.Pools, PoolConfig{Service: "s3", Region: region, Endpoint: httpURL(p.s3[i]), PathStyle: true})
	}
	return c
}

// write puts the configuration where the processes find it. It holds a key and a token: nobody else may read it.
func (c Config) write(path string) error {
	b, err := yaml.Marshal(c)
	if err == nil {
		err = renameio.WriteFile(path, b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}

func redisURL(port int) string { return "redis://" + address(port) + "/0" }

// poolID is how cloud-mirror names a pool in its own settings.
func poolID(region string) string { return "s3_" + region }

// FrontEndName is the name of the i-th front end, counted from 0.
func FrontEndName(i int) string { return fmt.Sprintf("frontend-%d", i+1) }

// WorkerName is the name of a region's worker.
func WorkerName(region string) string { return "worker-" + region }

// S3Name is the name of a region's S3 server.
func S3Name(region string) string { return "s3-" + region }

// MinIOName is the name of MinIO.
const MinIOName = "minio"

// without drops the variables that would change what a child does: those of AWS, Temporal, cloud-mirror itself.
func without(env []string, prefixes ...string) []string {
	var kept []string
	for _, entry := range env {
		drop := false
		for _, prefix := range prefixes {
			drop = drop || strings.HasPrefix(entry, prefix)
		}
		if !drop {
			kept = append(kept, entry)
		}
	}
	return kept
}
