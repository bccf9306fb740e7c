package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// A row of Grafana's grid is 24 wide: three panels stand side by side.
const (
	width  = 8
	height = 8
)

// build returns the dashboard. Its variables are the data source and the pools.
func build() (dashboard.Dashboard, error) { //nolint:staticcheck // Grafana before 12 imports only this form
	refresh := dashboard.VariableRefreshOnTimeRangeChanged
	pools := "label_values(cloud_mirror_redirect_seconds_count, pool)"
	b := dashboard.NewDashboardBuilder("cloud-mirror"). //nolint:staticcheck // As above
								Uid("cloud-mirror").
								Description("Redirects, copies, queues and dependencies of a deployment of cloud-mirror.").
								Tags([]string{"cloud-mirror", "generated"}).
								Timezone(common.TimeZoneBrowser).
								Time("now-3h", "now").
								Refresh("30s").
								Tooltip(dashboard.DashboardCursorSyncCrosshair).
								WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus")).
								WithVariable(dashboard.NewQueryVariableBuilder("pool").Label("Pool").
									Datasource(source()).
									Query(dashboard.StringOrMap{String: &pools}).
									Regex("/^(?!none$)/").
									Refresh(refresh).Multi(true).IncludeAll(true).AllValue(".+"))
	for _, r := range rows() {
		b = b.WithRow(dashboard.NewRowBuilder(r.title))
		for _, p := range r.panels {
			b = b.WithPanel(graph(p))
		}
	}
	return b.Build()
}

// source is the data source of the variable.
func source() common.DataSourceRef {
	kind, uid := "prometheus", "${datasource}"
	return common.DataSourceRef{Type: &kind, Uid: &uid}
}

func graph(p panel) *timeseries.PanelBuilder {
	b := timeseries.NewPanelBuilder().
		Title(p.title).Description(p.help).Unit(p.unit).Min(0).
		Height(height).Span(width).Datasource(source())
	for i, q := range p.queries {
		b = b.WithTarget(prometheus.NewDataqueryBuilder().
			RefId(string(rune('A' + i))).Expr(q.expr).LegendFormat(q.legend))
	}
	return b
}
