package capacity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// Tables returns the tables of the page, in Markdown, by the names of their markers.
func Tables() map[string]string {
	in := inputs{m: NewMeasured(), a: NewAssumed(), p: NewPrices(), c: config.Default()}
	plans := in.plans()
	return map[string]string{
		"measured": figures("run", Figures(in.m)),
		"assumed":  figures("why", Figures(in.a)),
		"prices":   in.prices(),
		"carries":  in.carries(),
		"machines": machines(plans),
		"flows":    in.flows(plans),
		"costs":    costs(plans),
		"limits":   in.limits(plans[len(plans)-1]),
	}
}

// Replace returns the page with the text between a name's markers replaced. It fails unless both
// markers exist.
func Replace(page, name, text string) (string, error) {
	before, rest, ok := strings.Cut(page, begin(name))
	_, after, ended := strings.Cut(rest, end(name))
	if !ok || !ended {
		return "", fmt.Errorf("the page has no markers %s and %s", begin(name), end(name))
	}
	return before + begin(name) + text + end(name) + after, nil
}

func begin(name string) string { return "<!-- " + name + " -->\n" }
func end(name string) string   { return "<!-- /" + name + " -->" }

// Table returns a table in Markdown.
func Table(head []string, rows ...[]string) string {
	var b strings.Builder
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(head)
	line(slices.Repeat([]string{"---"}, len(head)))
	for _, r := range rows {
		line(r)
	}
	return b.String()
}

func figures(origin string, all []Figure) string {
	rows := make([][]string, len(all))
	for i, f := range all {
		rows[i] = []string{f.Name, strings.TrimSpace(number(f.Value) + " " + f.Unit), f.origin(), f.On}
	}
	return Table([]string{"figure", "value", origin, "date"}, rows...)
}

func (in inputs) plans() (all []Plan) {
	for _, l := range Loads() {
		all = append(all, NewPlan(l, in.m, in.a, in.p))
	}
	return all
}

func (in inputs) prices() string {
	p := in.p
	var rows [][]string
	add := func(what string, dollars float64, unit string) {
		rows = append(rows, []string{what, fmt.Sprintf("%g", dollars), unit})
	}
	for _, m := range []Machine{p.FrontEnd, p.Temporal, p.Database, p.Redis} {
		add(fmt.Sprintf("%s: %d cores, %g GiB, %g Gbit/s", m.Name(), m.Cores, m.GiB, m.Gbit), m.Dollar, "an hour")
	}
	for _, t := range p.Requests1M {
		what := "SQS, beyond"
		if t.UpTo < 1e15 {
			what = fmt.Sprintf("SQS, up to %s requests a month", number(t.UpTo))
		}
		add(what, t.Dollar, "a million requests")
	}
	add("disk, gp3", p.DiskGB, "a GB and month")
	add("network load balancer", p.BalancerGB, "a GB")
	add("S3: PUT, COPY, POST, LIST", p.Puts1000, "1,000 requests")
	add("S3: GET and all others", p.Gets1000, "1,000 requests")
	add("S3: storage", p.StorageGBMonth, "a GB and month")
	add("NAT gateway", p.NATGB, "a GB")
	add("between regions", p.RegionGB, "a GB")
	add("Temporal Cloud", p.Actions1000, "1,000 actions")
	return Table([]string{"what", p.Currency, "for"}, rows...)
}

// loadHead is the head of a table with a column for each plan.
func loadHead(first string, plans []Plan) []string {
	head := []string{first}
	for _, p := range plans {
		head = append(head, fmt.Sprintf("%s redirects, %s copies a second", number(p.Load.Redirects), number(p.Load.Copies)))
	}
	return head
}

func machines(plans []Plan) string {
	var rows [][]string
	for i, kind := range plans[0].Machines() {
		row := []string{kind.Kind}
		for _, p := range plans {
			m := p.Machines()[i]
			row = append(row, fmt.Sprintf("%d %s (%s)", m.Count, m.Type.Name(), m.Bound))
		}
		rows = append(rows, row)
	}
	row := []string{"USD a month"}
	for _, p := range plans {
		dollars, _ := p.Monthly()
		row = append(row, number(dollars))
	}
	return Table(loadHead("machines (what decides the number)", plans), append(rows, row)...)
}

func (in inputs) flows(plans []Plan) string {
	var rows [][]string
	add := func(what string, f func(Plan) string) {
		row := []string{what}
		for _, p := range plans {
			row = append(row, f(p))
		}
		rows = append(rows, row)
	}
	add("redirects that front ends read from redis", func(p Plan) string { return number(100*p.FromRedis) + " %" })
	add("time until a front end drops a redirect", func(p Plan) string { return number(p.KeptFor) + " s" })
	add("network of redirects and their requests", func(p Plan) string { return number(p.Egress*8/1e9) + " Gbit/s" })
	add("network of copies, in and out each", func(p Plan) string {
		return number(p.Load.Copies*in.a.ObjectBytes.Value*(1<<20)*8/1e9) + " Gbit/s"
	})
	add("SQS requests", func(p Plan) string { return number(p.Load.Copies*requestsPerCopy) + " /s" })
	add("PUTs of S3", func(p Plan) string { return number(p.Load.Copies*in.p.CopyPuts) + " /s" })
	add("HEADs of S3, for copies", func(p Plan) string { return number(p.Load.Copies*in.p.CopyGets) + " /s" })
	add("GETs of S3, by clients", func(p Plan) string { return number(p.Load.Redirects) + " /s" })
	add("transactions of PostgreSQL", func(p Plan) string { return number(p.Commits) + " /s" })
	add("Temporal clusters", func(p Plan) string { return fmt.Sprintf("%.0f", p.Clusters) })
	add("history shards of each Temporal cluster", func(p Plan) string { return fmt.Sprintf("%.0f", p.Shards) })
	add("disks of PostgreSQL, with standbys", func(p Plan) string { return number(p.DBDisk/gib) + " GiB" })
	add("commands of redis", func(p Plan) string { return number(p.RedisCommands) + " /s" })
	add("invalidations of redis, to all front ends", func(p Plan) string { return number(p.Invalidations) + " /s" })
	add("entries of redis (cache.ttl)", func(p Plan) string { return number(p.Entries) })
	add("memory of these entries", func(p Plan) string { return number(p.Entries*in.m.EntryBytes.Value/gib) + " GiB" })
	return Table(loadHead("flow", plans), rows...)
}

func costs(plans []Plan) string {
	var rows [][]string
	add := func(what string, f func(Plan) float64) {
		row := []string{what}
		for _, p := range plans {
			row = append(row, number(f(p)))
		}
		rows = append(rows, row)
	}
	add("machines", func(p Plan) float64 { m, _ := p.Monthly(); return m })
	for i, c := range plans[0].Costs {
		add(c.Name, func(p Plan) float64 { return p.Costs[i].Dollars })
	}
	add("**together**", func(p Plan) float64 { m, s := p.Monthly(); return m + s })
	add("Temporal Cloud, instead of Temporal's machines", func(p Plan) float64 { return p.TemporalCloud })
	add("saved: NAT gateways", func(p Plan) float64 { return p.Saved.SavedNAT })
	add("saved besides, if the source is in another region", func(p Plan) float64 { return p.Saved.SavedRegion })
	return Table(loadHead("USD a month", plans), rows...)
}
