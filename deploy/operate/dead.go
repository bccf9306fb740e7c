package operate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage/redact"
)

// DeadCommand holds the commands about the dead-letter queue.
type DeadCommand struct {
	List    DeadListCommand    `cmd:"" help:"List the messages of the dead-letter queue."`
	Show    DeadShowCommand    `cmd:"" help:"Show one message of the dead-letter queue."`
	Redrive DeadRedriveCommand `cmd:"" help:"Send requests of the dead-letter queue again."`
}

// deadFlags are the flags of all commands about dead letters.
type deadFlags struct {
	Config string `short:"c" env:"CLOUD_MIRROR_CONFIG" type:"path" placeholder:"FILE" help:"Configuration file (YAML); CLOUD_MIRROR_* variables override it."`
	Limit  int    `default:"1000" help:"Letters that are read at most."`
}

// letters are the letters that a command has taken.
type letters struct {
	*queue.Queue
	all []queue.DeadLetter
}

// with takes the dead letters, oldest first, and calls f. It releases those that are left in
// l.all.
func (d *deadFlags) with(ctx context.Context, f func(l *letters) error) (err error) {
	if d.Limit < 1 {
		return fmt.Errorf("--limit is %d, want at least 1", d.Limit)
	}
	cfg, err := config.Load(d.Config, os.Environ())
	if err != nil {
		return err
	}
	aws, err := cfg.AWS(ctx, cfg.Logger(os.Stderr))
	if err != nil {
		return fmt.Errorf("AWS configuration: %w", err)
	}
	l := &letters{Queue: queue.Open(aws, cfg.SQS.Region, cfg.SQS.Endpoint, cfg.SQS.Queue, cfg.SQS.Timeout)}
	l.all, err = l.TakeDead(ctx, d.Limit)
	defer func() { err = errors.Join(err, l.ReleaseDead(context.WithoutCancel(ctx), l.all)) }()
	if err != nil {
		return err
	}
	slices.SortStableFunc(l.all, func(a, b queue.DeadLetter) int {
		return cmp.Or(a.Sent.Compare(b.Sent), cmp.Compare(a.ID, b.ID))
	})
	return f(l)
}

// DeadListCommand lists dead letters.
type DeadListCommand struct {
	deadFlags
	JSON bool `name:"json" help:"Print a JSON object for each letter."`
}

// Help returns an example.
func (DeadListCommand) Help() string {
	return "Example:\n\n  cloud-mirror dead list --config cloud-mirror.yaml\n\n" +
		"The letters are hidden from others for the moment."
}

// Run prints the letters, oldest first.
func (c *DeadListCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(l *letters) error { return c.write(os.Stdout, l.all) })
}

func (c *DeadListCommand) write(w io.Writer, all []queue.DeadLetter) error {
	if c.JSON {
		lines := json.NewEncoder(w)
		for _, d := range all {
			if err := lines.Encode(shownOf(d)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no dead letters")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tSENT\tPOOL\tACTION\tURL\tREASON")
	for _, d := range all {
		s := shownOf(d)
		fmt.Fprintln(table, strings.Join([]string{s.ID, s.Sent, s.Pool, s.Action, s.URL, s.Reason}, "\t"))
	}
	return table.Flush()
}

// shown is the printed form of a letter. An empty Pool means that it is no request.
type shown struct {
	ID     string `json:"id"`
	Sent   string `json:"sent"`
	Pool   string `json:"pool,omitempty"`
	Action string `json:"action,omitempty"`
	URL    string `json:"url,omitempty"` // Without a query
	Reason string `json:"reason"`
}

func shownOf(d queue.DeadLetter) shown {
	s := shown{ID: printable(d.ID), Reason: printable(cmp.Or(d.Reason, "handled sqs.max_receives times without success"))}
	if !d.Sent.IsZero() {
		s.Sent = d.Sent.UTC().Format(time.RFC3339)
	}
	if d.Invalid == nil {
		url, _ := redact.Cut(d.Request.URL)
		s.Pool, s.Action, s.URL = printable(d.Request.Pool), string(d.Request.Action), printable(url)
	}
	return s
}

// printable replaces everything that is not printable, so that text can't control a terminal or
// leave its cell.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}

// DeadShowCommand shows a dead letter.
type DeadShowCommand struct {
	deadFlags
	ID  string `arg:"" help:"Id of the letter, from dead list."`
	Raw bool   `help:"Print the body as it is. It may hold the query of a URL, which may be a secret."`
}

// Help returns an example.
func (DeadShowCommand) Help() string {
	return "Example:\n\n  cloud-mirror dead show 5fea7756-0ea4-451a-a703-a558b933e274"
}

// Run prints the letter.
func (c *DeadShowCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(l *letters) error { return c.write(os.Stdout, l.all) })
}

func (c *DeadShowCommand) write(w io.Writer, all []queue.DeadLetter) error {
	i := slices.IndexFunc(all, func(d queue.DeadLetter) bool { return d.ID == c.ID })
	if i < 0 {
		return fmt.Errorf("no dead letter has the id %q among %d", c.ID, len(all))
	}
	d := all[i]
	if c.Raw {
		_, err := fmt.Fprintln(w, d.Body)
		return err
	}
	s := shownOf(d)
	rows := [][2]string{
		{"id", s.ID}, {"sent", s.Sent}, {"reason", s.Reason}, {"pool", s.Pool}, {"action", s.Action}, {"url", s.URL},
	}
	if d.Request.SealedQuery != "" {
		rows = append(rows, [2]string{"query", "sealed"})
	}
	if d.Invalid != nil {
		rows = append(rows, [2]string{"no request", printable(d.Invalid.Error())})
	}
	body := fmt.Sprintf("%d bytes, --raw prints them", len(d.Body))
	if d.Cut() {
		body = fmt.Sprintf("%d bytes of %d, --raw prints them", len(d.Body), d.Length)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append(rows, [2]string{"body", body}) {
		if row[1] != "" {
			fmt.Fprintln(table, row[0]+"\t"+row[1])
		}
	}
	return table.Flush()
}

// DeadRedriveCommand sends requests of dead letters again.
type DeadRedriveCommand struct {
	deadFlags
	ID     []string `arg:"" optional:"" help:"Ids of letters, from dead list."`
	All    bool     `help:"Redrive all letters that are requests."`
	Reason string   `placeholder:"TEXT" help:"Redrive the letters whose reason contains the text."`
	DryRun bool     `help:"Change nothing; print what would be done."`
}

// Help returns examples.
func (DeadRedriveCommand) Help() string {
	return "Examples:\n\n  cloud-mirror dead redrive --reason 'no key of source.query_keys' --dry-run\n" +
		"  cloud-mirror dead redrive 5fea7756-0ea4-451a-a703-a558b933e274\n\n" +
		"A letter that is no copy request stays where it is: it would come back."
}

// Validate returns an error unless the letters are chosen in one way.
func (c *DeadRedriveCommand) Validate() error {
	ways := 0
	for _, chosen := range []bool{len(c.ID) > 0, c.All, c.Reason != ""} {
		if chosen {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("choose letters by their ids, by --reason or by --all")
	}
	return nil
}

func (c *DeadRedriveCommand) chosen(d queue.DeadLetter) bool {
	return c.All || slices.Contains(c.ID, d.ID) || c.Reason != "" && strings.Contains(shownOf(d).Reason, c.Reason)
}

// Run redrives the letters and prints a line for each.
func (c *DeadRedriveCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(l *letters) error { return c.redrive(ctx, os.Stdout, l) })
}

func (c *DeadRedriveCommand) redrive(ctx context.Context, w io.Writer, l *letters) error {
	for _, id := range c.ID {
		if !slices.ContainsFunc(l.all, func(d queue.DeadLetter) bool { return d.ID == id }) {
			return fmt.Errorf("no dead letter has the id %q among %d; nothing was redriven", id, len(l.all))
		}
	}
	read := len(l.all)
	var left []queue.DeadLetter
	var done, stay, failed int
	for _, d := range l.all {
		if !c.chosen(d) {
			left = append(left, d)
			continue
		}
		result := "redriven"
		switch err := c.one(ctx, l, d); {
		case d.Invalid != nil:
			stay++
			left, result = append(left, d), "stays: "+printable(err.Error())
		case err != nil:
			failed++
			left, result = append(left, d), "failed: "+printable(err.Error())
		case c.DryRun:
			done++
			left, result = append(left, d), "would be redriven"
		default:
			done++
		}
		s := shownOf(d)
		fmt.Fprintln(w, strings.Join(slices.DeleteFunc([]string{s.ID, s.Pool, s.URL}, func(s string) bool { return s == "" }), " ")+": "+result)
	}
	l.all = left
	verb := "redriven"
	if c.DryRun {
		verb = "would be redriven"
	}
	fmt.Fprintf(w, "%d %s, %d stay because they are no copy requests, %d failed, of %d read\n", done, verb, stay, failed, read)
	if failed > 0 || stay > 0 && len(c.ID) > 0 {
		return fmt.Errorf("%d letters were not redriven", failed+stay)
	}
	return nil
}

// one redrives a letter, unless it is a dry run.
func (c *DeadRedriveCommand) one(ctx context.Context, l *letters, d queue.DeadLetter) error {
	if c.DryRun && d.Invalid == nil {
		return nil
	}
	return l.Redrive(ctx, d)
}
