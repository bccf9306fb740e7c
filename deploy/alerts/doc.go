// Package alerts holds the alert rules for Prometheus, rules.yaml. Their tests check them with
// promtool, and compare the metrics with the page of metrics and the links with the runbook.
package alerts
