package stack

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"text/template"

	"github.com/google/renameio/v2"
)

// configTemplate is the template of the configuration file, and the documented example of one.
//
//go:embed cloud-mirror.yaml.tmpl
var configTemplate string

// configValues are the values that configTemplate leaves open.
type configValues struct {
	FrontEndListen, FrontEndAdminListen, WorkerAdminListen string
	TokensFile, QueryKey                                   string
	RedisURL, SQSEndpoint                                  string
	OriginURL                                              string // Of the upstream local
	Region                                                 string // Of the queue
	BucketBase                                             string
	TemporalUI, FrontEndURL                                string // Of the page for people
	Metrics                                                []string
	Pools                                                  []poolValues
}

// poolValues are those of one pool.
type poolValues struct{ Region, Endpoint string }

// newConfigValues gives the file the addresses of the first front end and the first worker. The
// stack overrides them by environment variables for each process.
func newConfigValues(p *plan, tokensFile, queryKey string) configValues {
	v := configValues{
		FrontEndListen: address(p.frontEnds[0]), FrontEndAdminListen: address(p.frontEndAdmins[0]),
		WorkerAdminListen: address(p.workerAdmins[0]),
		TokensFile:        tokensFile, QueryKey: queryKey,
		RedisURL: productRedisURL(address(p.redis)), SQSEndpoint: httpURL(p.sqs), OriginURL: upstreamURL(p.origin), Region: Regions()[0], BucketBase: Bucket,
	}
	v.FrontEndURL = httpURL(p.frontEnds[0])
	if p.temporalUI != 0 {
		v.TemporalUI = httpURL(p.temporalUI)
	}
	for _, admin := range slices.Concat(p.frontEndAdmins, p.workerAdmins) {
		v.Metrics = append(v.Metrics, httpURL(admin)+"/metrics")
	}
	for i, region := range Regions() {
		v.Pools = append(v.Pools, poolValues{Region: region, Endpoint: httpURL(p.s3[i])})
	}
	return v
}

// write renders the configuration file for the processes of cloud-mirror. The file holds a key:
// only its owner can read it.
func (v configValues) write(path string) error {
	// A double-quoted YAML scalar has all escapes of a Go string.
	t, err := template.New("cloud-mirror.yaml").Funcs(template.FuncMap{"quote": strconv.Quote}).Parse(configTemplate)
	if err != nil {
		return fmt.Errorf("read the template of the configuration: %w", err)
	}
	var text bytes.Buffer
	if err = t.Execute(&text, v); err == nil {
		err = renameio.WriteFile(path, text.Bytes(), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}
