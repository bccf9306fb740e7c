package page

import (
	"net/url"
	"strings"
)

// list returns the URL of the workflows in Temporal's Web UI that match a query. Without
// admin.temporal_ui it is empty.
func (p *page) list(query string) string {
	return p.workflows("?query=" + url.QueryEscape(query))
}

// run returns the URL of a run in Temporal's Web UI, or an empty string.
func (p *page) run(id, runID string) string {
	return p.workflows("/" + url.PathEscape(id) + "/" + url.PathEscape(runID) + "/history")
}

func (p *page) workflows(rest string) string {
	if p.Admin.TemporalUI == "" {
		return ""
	}
	return strings.TrimSuffix(p.Admin.TemporalUI, "/") + "/namespaces/" + url.PathEscape(p.Namespace) + "/workflows" + rest
}
