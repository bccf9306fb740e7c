package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// objectFlags holds the flags and the argument that the client's commands share.
type objectFlags struct {
	Server  string `env:"CLOUD_MIRROR_SERVER" default:"http://127.0.0.1:8080" help:"Base URL of the front end."`
	Service string `default:"s3" help:"Service of the pool."`
	Region  string `required:"" short:"r" help:"Region of the pool, e.g. us-west-2."`
	Object  string `arg:"" name:"object" help:"URL of the object at its source."`
}

// Validate returns an error that names an invalid argument.
func (f *objectFlags) Validate() error {
	if f.Object == "" {
		return errors.New("<object> is missing or empty")
	}
	for name, value := range map[string]string{"--server": f.Server, "<object>": f.Object} {
		if u, err := url.Parse(value); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("%s is not a URL that begins with http:// or https://", name)
		}
	}
	if f.Region == "" {
		return errors.New("--region is missing or empty")
	}
	if f.Service == "" {
		return errors.New("--service is empty")
	}
	return nil
}

func (f *objectFlags) client() *Client { return &Client{Server: f.Server} }

// URLCommand prints the redirect URL of an object.
type URLCommand struct {
	objectFlags
	SHA256 Digest `name:"sha256" placeholder:"HEX" help:"SHA-256 of the object. A request is redirected to the source if the copy is known to have another digest."`
}

// Help returns an example.
func (URLCommand) Help() string {
	return "Example:\n\n  cloud-mirror url --region us-west-2 https://example.com/a.zip"
}

// Run prints the URL.
func (u *URLCommand) Run() error {
	_, err := fmt.Println(u.client().RedirectURL(u.Service, u.Region, u.Object, u.SHA256))
	return err
}

// GetCommand follows a redirect and saves the object.
type GetCommand struct {
	objectFlags
	Output string `short:"o" placeholder:"FILE" help:"File to save the object to, or - for standard output. The default is the file name in the URL."`
	SHA256 Digest `name:"sha256" placeholder:"HEX" help:"SHA-256 of the object. The object is saved only if the digest matches."`
}

// Help returns an example.
func (GetCommand) Help() string {
	return "Example:\n\n  cloud-mirror get --region us-west-2 --output a.zip https://example.com/a.zip"
}

// Run saves the object, and prints to standard error where it comes from.
func (g *GetCommand) Run(ctx context.Context) error {
	object, err := g.client().Get(ctx, g.Service, g.Region, g.Object, g.SHA256)
	if err != nil {
		return err
	}
	defer object.Body.Close()
	from := "from the copy in " + g.Region
	if !object.Copied {
		from = "from the source: " + object.Reason
	}
	fmt.Fprintln(os.Stderr, from)
	body := io.Reader(object.Body)
	if term.IsTerminal(int(os.Stderr.Fd())) {
		bar := progressbar.DefaultBytes(object.Size, "downloading")
		defer bar.Close() //nolint:errcheck // only a display
		body = io.TeeReader(body, bar)
	}
	if g.Output == "-" {
		_, err := io.Copy(os.Stdout, body)
		return err
	}
	if g.Output == "" {
		g.Output = FileName(g.Object)
	}
	return Save(g.Output, body, object.Size)
}

// PurgeCommand forgets an object and deletes its copy.
type PurgeCommand struct {
	objectFlags
	Token string `required:"" env:"CLOUD_MIRROR_TOKEN" placeholder:"TOKEN" help:"Bearer token of the front end, with the scope purge."`
}

// Help returns an example.
func (PurgeCommand) Help() string {
	return "Example (region all means every region):\n\n" +
		"  CLOUD_MIRROR_TOKEN=secret cloud-mirror purge --region all https://example.com/a.zip"
}

// Run purges the object. It prints to standard error that a purge is accepted but not finished.
func (p *PurgeCommand) Run(ctx context.Context) error {
	c := p.client()
	c.Token = p.Token
	accepted, err := c.Purge(ctx, p.Service, p.Region, p.Object)
	if accepted != "" {
		fmt.Fprintln(os.Stderr, accepted)
	}
	return err
}
