package e2e

import (
	"encoding/json"
	"fmt"
	"image"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// dashboardFile is Grafana's dashboard.
const dashboardFile = "../../dashboards/cloud-mirror.json"

// mainPanels are the panels of the picture, by row.
func mainPanels() [][]string {
	return [][]string{
		{"Redirects", "Hit rate", "Time of a redirect"},
		{"Waiting clients", "Bytes", "Copies now"},
		{"Copies made and failed", "Attempts", "Time of a copy"},
		{"Outcomes of messages", "Time of S3", "Responses of sources"},
	}
}

// dashboardPanel is a graph of the dashboard.
type dashboardPanel struct {
	Title       string
	Targets     []struct{ Expr, LegendFormat string }
	FieldConfig struct{ Defaults struct{ Unit string } }
}

func dashboardPanels(t *testing.T) map[string]dashboardPanel {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	require.NoError(t, err)
	var dashboard struct{ Panels []dashboardPanel }
	require.NoError(t, json.Unmarshal(text, &dashboard))
	all := map[string]dashboardPanel{}
	for _, p := range dashboard.Panels {
		all[p.Title] = p
	}
	return all
}

// series is a line of a graph.
type series struct {
	legend string
	points plotter.XYs
}

// ask returns the series of a panel, as Grafana asks for them.
func (p dashboardPanel) ask(t *testing.T, prometheus string, from, to time.Time) (all []series) {
	t.Helper()
	label := regexp.MustCompile(`{{(\w+)}}`)
	for _, target := range p.Targets {
		query := url.Values{
			"query": {strings.NewReplacer("$__rate_interval", "5s", "$pool", ".+").Replace(target.Expr)},
			"start": {strconv.FormatInt(from.Unix(), 10)}, "end": {strconv.FormatInt(to.Unix(), 10)}, "step": {"1"},
		}
		resp, err := http.Get(prometheus + "/api/v1/query_range?" + query.Encode())
		require.NoError(t, err)
		defer resp.Body.Close()
		var answer struct {
			Error string
			Data  struct {
				Result []struct {
					Metric map[string]string
					Values [][2]any
				}
			}
		}
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
		require.Empty(t, answer.Error, target.Expr)
		for _, r := range answer.Data.Result {
			s := series{legend: label.ReplaceAllStringFunc(target.LegendFormat, func(l string) string { return r.Metric[strings.Trim(l, "{}")] })}
			for _, v := range r.Values {
				y, err := strconv.ParseFloat(v[1].(string), 64)
				require.NoError(t, err)
				if !math.IsNaN(y) && !math.IsInf(y, 0) {
					s.points = append(s.points, plotter.XY{X: v[0].(float64), Y: y})
				}
			}
			if len(s.points) > 0 {
				all = append(all, s)
			}
		}
	}
	return all
}

// unitTicks writes values with the unit of a panel.
type unitTicks struct{ unit string }

func (u unitTicks) Ticks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i, tick := range ticks {
		switch {
		case tick.IsMinor():
		case u.unit == "percentunit":
			ticks[i].Label = fmt.Sprintf("%.0f %%", tick.Value*100)
		default:
			ticks[i].Label = humanize.SIWithDigits(tick.Value, 1, map[string]string{"s": "s", "bytes": "B", "Bps": "B/s", "reqps": "/s"}[u.unit])
		}
	}
	return ticks
}

// graph draws the series of a panel.
func (p dashboardPanel) graph(t *testing.T, all []series) *plot.Plot {
	t.Helper()
	g := plot.New()
	g.Title.Text, g.Y.Min = p.Title, 0
	g.X.Tick.Marker, g.Y.Tick.Marker = plot.TimeTicks{Format: "15:04:05"}, unitTicks{p.FieldConfig.Defaults.Unit}
	g.Legend.Top, g.Legend.Left = true, true
	g.Legend.TextStyle.Font.Size = 7
	for i, s := range all {
		line, err := plotter.NewLine(s.points)
		require.NoError(t, err)
		line.Color = plotutil.Color(i)
		g.Add(line)
		g.Legend.Add(s.legend, line)
	}
	g.Y.Max *= 1.5 // Room for the legend.
	return g
}

// tile draws the graphs side by side.
func tile(graphs [][]*plot.Plot) image.Image {
	const width, height, gap = 345, 200, 10 // In points
	canvas := vgimg.New(vg.Length(len(graphs[0])*width), vg.Length(len(graphs)*height))
	tiles := draw.Tiles{
		Rows: len(graphs), Cols: len(graphs[0]), PadX: gap, PadY: gap, PadTop: gap, PadBottom: gap, PadLeft: gap, PadRight: gap,
	}
	for row, places := range plot.Align(graphs, tiles, draw.New(canvas)) {
		for column, place := range places {
			graphs[row][column].Draw(place)
		}
	}
	return canvas.Image()
}

// load has clients request copies that exist, new copies, and objects that fail, for some time.
func load(t *testing.T, d time.Duration) {
	t.Helper()
	end := time.Now().Add(d)
	good := newSource(t, 1*mib, nil)
	hit := good.object()
	requireCopy(t, good, west, ask(t, west, hit, ""))
	gone := newSource(t, 1000, func(_ *source, w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusNotFound) })
	busy := newSource(t, 1000, func(_ *source, w http.ResponseWriter, _ *http.Request, n int) {
		if n < 3 { // Of each object
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	var clients sync.WaitGroup
	every := func(pause time.Duration, request func()) {
		clients.Go(func() {
			for next := range time.Tick(pause) {
				if next.After(end) {
					return
				}
				request()
			}
		})
	}
	every(20*time.Millisecond, func() { do(t, http.MethodGet, redirectURL(0, west, hit, ""), "") })
	for _, region := range []string{west, east, central} {
		every(300*time.Millisecond, func() { do(t, http.MethodGet, redirectURL(1, region, good.object(), ""), "") })
	}
	every(2*time.Second, func() { do(t, http.MethodGet, redirectURL(0, west, gone.object(), ""), "") })
	every(time.Second, func() { do(t, http.MethodGet, redirectURL(0, east, busy.object(), ""), "") })
	clients.Wait()
}

// TestDashboard has a real Prometheus scrape the stack under load. Each main panel of the dashboard
// has data. It draws them if [picturesEnv] is set: `make screenshots`.
func TestDashboard(t *testing.T) {
	processes := append([]string{"frontend-1", "frontend-2"}, workers()...)
	prometheus := startPrometheus(t, processes)
	eventually(t, func() bool { return prometheusValue(t, prometheus, "sum(up)") == float64(len(processes)) }, "all are scraped")
	dir, d := os.Getenv(picturesEnv), 20*time.Second
	if dir != "" {
		d = 2 * time.Minute
	}
	start := time.Now()
	load(t, d)
	panels := dashboardPanels(t)
	var graphs [][]*plot.Plot
	for _, titles := range mainPanels() {
		var row []*plot.Plot
		for _, title := range titles {
			require.Contains(t, slices.Collect(maps.Keys(panels)), title)
			all := panels[title].ask(t, prometheus, start, time.Now())
			require.NotEmpty(t, all, title)
			row = append(row, panels[title].graph(t, all))
		}
		graphs = append(graphs, row)
	}
	picture := tile(graphs)
	if dir != "" {
		store(t, filepath.Join(dir, "dashboard.png"), picture)
	}
}
