package main

// panel is a graph. Each of its queries maps a legend to an expression of PromQL.
type panel struct {
	title, help, unit string
	queries           []query
}

type query struct{ legend, expr string }

// row is a row of panels.
type row struct {
	title  string
	panels []panel
}

// Units of Grafana.
const (
	perSecond = "reqps"
	seconds   = "s"
	bytes     = "bytes"
	byteRate  = "Bps"
	ratio     = "percentunit"
	count     = "short"
)

// rows returns what the dashboard shows, from the clients' view down to the dependencies.
func rows() []row {
	return []row{
		{"Clients", clients()},
		{"Copies", copies()},
		{"Queues", queues()},
		{"Dependencies", dependencies()},
		{"Processes", processes()},
	}
}

func clients() []panel {
	return []panel{
		{"Redirects", "By the reason for the answer.", perSecond, []query{
			{"{{reason}}", `sum by (reason) (rate(cloud_mirror_redirect_seconds_count{pool=~"$pool|none"}[$__rate_interval])) > 0`},
		}},
		{"Hit rate", "Redirects to a copy that existed, of all requests for a pool.", ratio, []query{
			{"{{pool}}", `sum by (pool) (rate(cloud_mirror_redirect_seconds_count{pool=~"$pool", reason=~"hit"}[$__rate_interval]))` +
				` / sum by (pool) (rate(cloud_mirror_redirect_seconds_count{pool=~"$pool"}[$__rate_interval]))`},
		}},
		{"Time of a redirect", "99th percentile, waits for a copy included.", seconds, []query{
			{"{{reason}}", `histogram_quantile(0.99, sum by (reason, le) (rate(cloud_mirror_redirect_seconds_bucket{pool=~"$pool"}[$__rate_interval])))`},
		}},
		{"Waiting clients", "Clients that wait for a copy, and open connections.", count, []query{
			{"waiting", `sum(cloud_mirror_waiting_clients)`},
			{"connections", `sum(cloud_mirror_open_connections)`},
		}},
		{"Refused and limited", "Requests that reached a limit, were invalid, or had no right token.", perSecond, []query{
			{"limit {{limit}}", `sum by (limit) (rate(cloud_mirror_limited_requests_total[$__rate_interval])) > 0`},
			{"{{code}}", `sum by (code) (rate(cloud_mirror_refused_requests_total[$__rate_interval])) > 0`},
			{"token {{result}}", `sum by (result) (rate(cloud_mirror_refused_tokens_total[$__rate_interval])) > 0`},
		}},
		{"Bytes", "Redirected to copies, fetched from sources, stored, and found in buckets.", byteRate, []query{
			{"redirected", `sum(rate(cloud_mirror_redirected_bytes_total{pool=~"$pool"}[$__rate_interval]))`},
			{"fetched", `sum(rate(cloud_mirror_fetched_bytes_total[$__rate_interval]))`},
			{"stored", `sum(rate(cloud_mirror_copied_bytes_total{pool=~"$pool"}[$__rate_interval]))`},
			{"found", `sum(rate(cloud_mirror_found_bytes_total{pool=~"$pool"}[$__rate_interval]))`},
		}},
	}
}

func copies() []panel {
	return []panel{
		{"Copies now", "In flight, queued, being retried, and all whose workflow has not ended.", count, []query{
			{"in flight", `sum(cloud_mirror_copy_slots_in_use{pool=~"$pool"})`},
			{"queued", `sum(max by (pool) (cloud_mirror_backlog_tasks{pool=~"$pool"}))`},
			{"retried", `sum(cloud_mirror_attempts_in_flight{pool=~"$pool", try="again"})`},
			{"open", `sum(max by (pool) (cloud_mirror_open_copies{pool=~"$pool"}))`},
		}},
		{"Copies made and failed", "Failed for good, by class.", perSecond, []query{
			{"made", `sum(rate(cloud_mirror_copies_total{pool=~"$pool"}[$__rate_interval]))`},
			{"{{class}} {{status}}", `sum by (class, status) (rate(cloud_mirror_failed_copies_total{pool=~"$pool"}[$__rate_interval])) > 0`},
		}},
		{"Attempts", "Attempts that started, and those that failed, by class.", perSecond, []query{
			{"{{try}}", `sum by (try) (rate(cloud_mirror_attempts_total{pool=~"$pool"}[$__rate_interval]))`},
			{"{{class}} {{status}}", `sum by (class, status) (rate(cloud_mirror_failed_attempts_total{pool=~"$pool"}[$__rate_interval])) > 0`},
		}},
		{"Time of a copy", "Of a successful StreamCopy.", seconds, []query{
			{"median", `histogram_quantile(0.5, sum by (le) (rate(cloud_mirror_copy_seconds_bucket{pool=~"$pool"}[$__rate_interval])))`},
			{"99th percentile", `histogram_quantile(0.99, sum by (le) (rate(cloud_mirror_copy_seconds_bucket{pool=~"$pool"}[$__rate_interval])))`},
		}},
		{"Slots in use", "Of all workers of a pool.", ratio, []query{
			{"{{pool}} {{size}}", `sum by (pool, size) (cloud_mirror_copy_slots_in_use{pool=~"$pool"}) / sum by (pool, size) (cloud_mirror_copy_slots{pool=~"$pool"})`},
		}},
		{"Memory in use", "For the bytes of copies, of all workers.", ratio, []query{
			{"{{size}}", `sum by (size) (cloud_mirror_copy_memory_in_use_bytes) / sum by (size) (cloud_mirror_copy_memory_bytes)`},
		}},
		{"Audits, refreshes and sweeps", "In an hour.", count, []query{
			{"audit {{result}}", `sum by (result) (increase(cloud_mirror_audits_total[1h])) > 0`},
			{"refresh {{result}}", `sum by (result) (increase(cloud_mirror_refreshes_total{pool=~"$pool"}[1h])) > 0`},
			{"upload {{result}}", `sum by (result) (increase(cloud_mirror_swept_uploads_total{pool=~"$pool"}[1h])) > 0`},
		}},
	}
}

func queues() []panel {
	return []panel{
		{"Messages in SQS", "About, as bridges measure them.", count, []query{
			{"{{queue}} {{state}}", `max by (queue, state) (cloud_mirror_queue_messages)`},
		}},
		{"Ages", "Of the oldest message or task.", seconds, []query{
			{"SQS {{queue}}", `max by (queue) (cloud_mirror_queue_age_seconds)`},
			{"Temporal {{pool}}", `max by (pool) (cloud_mirror_backlog_age_seconds{pool=~"$pool"})`},
		}},
		{"Outcomes of messages", "Failed messages become visible again. Dead ones are dead letters.", perSecond, []query{
			{"{{outcome}}", `sum by (outcome) (rate(cloud_mirror_messages_total[$__rate_interval]))`},
		}},
		{"Bridges", "Copies that bridges may have in flight, and messages that they hold.", count, []query{
			{"window", `sum(cloud_mirror_bridge_window)`},
			{"held", `sum(cloud_mirror_held_messages)`},
		}},
	}
}

func dependencies() []panel {
	of := func(title, dependency string) panel {
		calls := `(rate(cloud_mirror_dependency_seconds_bucket{dependency="` + dependency + `"}[$__rate_interval]))`
		return panel{title, "99th percentile of the time of a call, by operation.", seconds, []query{
			{"{{operation}}", `histogram_quantile(0.99, sum by (operation, le) ` + calls + `)`},
		}}
	}
	return []panel{
		of("Time of S3", "s3"), of("Time of SQS", "sqs"), of("Time of redis", "redis"), of("Time of sources", "source"),
		{"Errors of dependencies", "By dependency and operation.", perSecond, []query{
			{"{{dependency}} {{operation}}", `sum by (dependency, operation) (rate(cloud_mirror_dependency_errors_total[$__rate_interval])) > 0`},
		}},
		{"Responses of sources", "By class of the status.", perSecond, []query{
			{"{{status}}", `sum by (status) (rate(cloud_mirror_source_responses_total[$__rate_interval])) > 0`},
		}},
		{"Not answering", "Open circuit breakers of front ends, and seconds since the last answer to a worker.", count, []query{
			{"breaker {{dependency}}", `max by (dependency) (cloud_mirror_breaker_open)`},
			{"{{dependency}}", `time() - max by (dependency) (cloud_mirror_last_success_timestamp_seconds)`},
		}},
		{"Connections to redis", "By state.", count, []query{
			{"{{state}}", `sum by (state) (cloud_mirror_redis_pool_connections)`},
		}},
		{"Temporal", "Requests of workers, by operation.", perSecond, []query{
			{"{{operation}}", `sum by (operation) (rate(temporal_request_total[$__rate_interval]))`},
		}},
	}
}

func processes() []panel {
	return []panel{
		{"Memory of processes", "Resident.", bytes, []query{
			{"{{instance}}", `process_resident_memory_bytes and on (instance) cloud_mirror_build_info`},
		}},
		{"Builds", "Processes of each version.", count, []query{
			{"{{version}} {{goversion}}", `count by (version, goversion) (cloud_mirror_build_info)`},
		}},
	}
}
