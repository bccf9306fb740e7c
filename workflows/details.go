package workflows

import (
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"
	"go.temporal.io/sdk/workflow"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// maxShownURL is the longest URL in details, in bytes. Temporal allows 20,000 bytes for all details
// (limit.userMetadataDetailsSize).
const maxShownURL = 2000

// Details describes an object's copy for the Web UI, in Markdown: the object, its source and its bucket.
func Details(s activities.SealedObject) string {
	return fmt.Sprintf("A copy of %s from %s, for clients in %s. It goes to the bucket of pool %s.",
		code(s.URL), code(Host(s)), code(s.Region), code(s.Pool()))
}

// code formats text as code in Markdown.
func code(text string) string {
	words := strings.Fields(text[max(len(text)-maxShownURL, 0):])
	for i, w := range words {
		words[i] = readable(w, len(w))
	}
	return "`" + strings.ReplaceAll(strings.Join(words, " "), "`", "%60") + "`"
}

// show replaces the current details of the run, which the Web UI shows. They are no part of the history:
// a worker answers a query for them.
func (c *copyObject) show(ctx workflow.Context, text string) { workflow.SetCurrentDetails(ctx, text) }

// showCopied shows the end of a successful round.
func (c *copyObject) showCopied(ctx workflow.Context, r CopyObjectResult) {
	switch {
	case r.TooSmall != nil:
		c.show(ctx, fmt.Sprintf("Completed without a copy: the object has %s, and clients request copies of %s or more.",
			bytes(r.TooSmall.Size), bytes(r.TooSmall.MinSize)))
	case !r.Copied:
		c.show(ctx, fmt.Sprintf("Completed: the bucket already had the object, %s.", bytes(r.Copy.Size)))
	default:
		c.show(ctx, fmt.Sprintf("Completed: copied %s (%s).", bytes(r.Copy.Size), r.Copy.Way))
	}
}

// failureDetails describes a failed or cancelled copy: the failure, the request that failed, the
// meaning, and the commands that show and retry the copy.
func failureDetails(f activities.Failure, id string) string {
	title := f.Class
	if f.Status != 0 {
		title += fmt.Sprintf(", status %d", f.Status)
	}
	text := code(f.Text)
	if f.Host != "" {
		text += fmt.Sprintf(", for %s at host %s", code(f.Method), code(f.Host))
	}
	// The Web UI has room for a few lines. It wraps a span of code, and cuts off a block of code.
	return fmt.Sprintf("**%s**: %s. %s\n\nRetry it: ``cloud-mirror copies retry %[4]s``  \n"+
		"Show it: ``cloud-mirror copies show %[4]s``\n", title, text, f.Meaning(), quoted(id))
}

// quoted returns text as one word of a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// bytes returns a size in human units.
func bytes(n int64) string {
	if n < 0 {
		return "an unknown size"
	}
	return humanize.IBytes(uint64(n))
}
