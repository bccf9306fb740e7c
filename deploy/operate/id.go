package operate

import (
	"fmt"
	"strings"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// objectFlags name the pool of an object.
type objectFlags struct {
	Service string `default:"s3" help:"Service of the pool."`
	Region  string `required:"" short:"r" help:"Region of the pool, e.g. us-west-2."`
}

// source returns the object of a URL, as clients write it. The workflow's id holds nothing of a sealed
// query, so that source needs no key.
func (f *objectFlags) source(url string) (activities.SealedObject, error) {
	canonical, err := origin.Canonical(url)
	if err != nil {
		return activities.SealedObject{}, err
	}
	o := storage.Object{Service: f.Service, Region: f.Region, URL: canonical}
	return activities.SealedObject{Service: o.Service, Region: o.Region, URL: o.Shown(), Hash: o.Hash()}, nil
}

// WorkflowIDCommand prints the workflow id of an object's copy.
type WorkflowIDCommand struct {
	objectFlags
	Object string `arg:"" name:"url" help:"URL of the object at its source."`
}

// Help returns an example.
func (WorkflowIDCommand) Help() string {
	return "Example:\n\n  temporal workflow show --workflow-id \"$(cloud-mirror workflow-id -r us-west-2 https://example.com/a.zip)\""
}

// Run prints the id.
func (c *WorkflowIDCommand) Run() error {
	source, err := c.source(c.Object)
	if err != nil {
		return err
	}
	_, err = fmt.Println(workflows.ID(source))
	return err
}

// isURL reports whether the argument of a command is a URL, and not a workflow id.
func isURL(argument string) bool {
	return strings.HasPrefix(argument, "http://") || strings.HasPrefix(argument, "https://")
}
