package savings

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/common/model"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// Command is the subcommand savings.
type Command struct {
	Config     string          `short:"c" env:"CLOUD_MIRROR_CONFIG" type:"path" placeholder:"FILE" help:"Configuration file with prices and s3. The default is list prices."`
	Prometheus string          `placeholder:"URL" xor:"from" help:"Prometheus that scrapes the front ends and workers."`
	For        *model.Duration `placeholder:"30d" help:"With --prometheus: the period until now. The default is 30d."`
	Match      string          `placeholder:"MATCHERS" help:"With --prometheus: matchers of one deployment's labels, such as 'cluster=\"a\"'."`
	Metrics    []string        `placeholder:"URL" xor:"from" sep:"none" help:"Metrics of a front end or worker (repeatable): name all of them. They count since the start of each process."`
	Path       []string        `placeholder:"nat" sep:"none" help:"What downloads from the source cross: nat, region or both. UPSTREAM=region holds for one upstream (repeatable). The default is nat."`
	JSON       bool            `name:"json" help:"Print JSON."`
}

// Help returns examples.
func (Command) Help() string {
	return "Examples:\n\n  cloud-mirror savings --prometheus http://prometheus:9090 --for 30d --path nat\n" +
		"  cloud-mirror savings --metrics http://front-1:8081/metrics --metrics http://worker-1:8082/metrics\n\n" +
		"What is saved per upstream depends on the way of its downloads, which no metric knows: see --path."
}

// timeout bounds a query or a scrape.
const timeout = time.Minute

// minPeriod holds a few scrapes.
const minPeriod = model.Duration(time.Minute)

// Run prints the report.
func (c *Command) Run(ctx context.Context) error {
	return c.run(ctx, os.Environ(), time.Now, os.Stdout)
}

func (c *Command) run(ctx context.Context, environ []string, now func() time.Time, out io.Writer) error {
	prices, s3, err := config.LoadPrices(c.Config, environ)
	if err != nil {
		return err
	}
	way, err := parsePaths(c.Path)
	if err != nil {
		return err
	}
	m, err := c.measure(ctx, now)
	if err != nil {
		return err
	}
	report, err := newReport(m, prices, s3, way)
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	return report.write(out)
}

func (c *Command) measure(ctx context.Context, now func() time.Time) (*measurement, error) {
	client := &http.Client{Timeout: timeout}
	if c.Prometheus == "" && len(c.Metrics) == 0 {
		return nil, errors.New("name --prometheus, or --metrics of all front ends and workers")
	}
	if c.Prometheus == "" {
		if c.For != nil || c.Match != "" {
			return nil, errors.New("--for and --match need --prometheus: --metrics count since the start of each process")
		}
		return scrapes(ctx, client, now, c.Metrics)
	}
	period := model.Duration(month)
	if c.For != nil {
		period = *c.For
	}
	if period < minPeriod {
		return nil, errors.New("--for: must be at least " + minPeriod.String())
	}
	return prometheus(ctx, client, now(), c.Prometheus, c.Match, time.Duration(period))
}
