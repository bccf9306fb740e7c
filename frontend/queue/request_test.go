package queue_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

func TestEncodeUsesTheOriginalFormat(t *testing.T) {
	body, err := queue.Encode(queue.Request{Pool: "s3_us-west-2", URL: "https://example.com/a?b", Action: queue.Put})
	require.NoError(t, err)
	require.JSONEq(t, `{"version":1,"data":{"id":"s3_us-west-2","url":"https://example.com/a?b","action":"put"}}`, body)
}

func TestASealedRequestHasVersion2(t *testing.T) {
	sent := queue.Request{
		Pool: "s3_us-west-2", URL: "https://example.com/a", SealedQuery: "x", Hash: strings.Repeat("0a", 32), Action: queue.Put,
	}
	body, err := queue.Encode(sent)
	require.NoError(t, err)
	require.JSONEq(t, `{"version":2,"data":{"id":"s3_us-west-2","url":"https://example.com/a","sealedQuery":"x","hash":"`+
		sent.Hash+`","action":"put"}}`, body)
	got, err := queue.Decode(body)
	require.NoError(t, err)
	require.Equal(t, sent, got)
}

// TestAMessageWrittenByHandIsRead has the original's envelope with a query in the URL. Fields of
// version 2 are unknown to version 1.
func TestAMessageWrittenByHandIsRead(t *testing.T) {
	got, err := queue.Decode(`{"version":1,"data":{"id":"s3_us-west-2","url":"https://example.com/a?b","action":"put",
		"sealedQuery":"x","hash":"y"}}`)
	require.NoError(t, err)
	require.Equal(t, queue.Request{Pool: "s3_us-west-2", URL: "https://example.com/a?b", Action: queue.Put}, got)
}

func TestEncodeIncludesTheDigest(t *testing.T) {
	sent := queue.Request{Pool: "s3_us-west-2", URL: "u", Action: queue.Put, SHA256: strings.Repeat("0a", 32)}
	body, err := queue.Encode(sent)
	require.NoError(t, err)
	require.JSONEq(t, `{"version":1,"data":{"id":"s3_us-west-2","url":"u","action":"put","sha256":"`+sent.SHA256+`"}}`, body)
	got, err := queue.Decode(body)
	require.NoError(t, err)
	require.Equal(t, sent, got)
}

func TestEncodeIncludesThePriority(t *testing.T) {
	sent := queue.Request{Pool: "s3_us-west-2", URL: "u", Action: queue.Put, Priority: queue.Low}
	body, err := queue.Encode(sent)
	require.NoError(t, err)
	require.JSONEq(t, `{"version":1,"data":{"id":"s3_us-west-2","url":"u","action":"put","priority":"low"}}`, body)
	got, err := queue.Decode(body)
	require.NoError(t, err)
	require.Equal(t, sent, got)
}

// TestEncodeIncludesTheRequestID keeps the version: an earlier bridge ignores the field.
func TestEncodeIncludesTheRequestID(t *testing.T) {
	sent := queue.Request{Pool: "s3_us-west-2", URL: "u", Action: queue.Put, RequestID: "r 1"}
	body, err := queue.Encode(sent)
	require.NoError(t, err)
	require.JSONEq(t, `{"version":1,"data":{"id":"s3_us-west-2","url":"u","action":"put","requestID":"r 1"}}`, body)
	got, err := queue.Decode(body)
	require.NoError(t, err)
	require.Equal(t, sent, got)
}

// TestMaintenanceMessages pins the messages that keep copies true and present.
func TestMaintenanceMessages(t *testing.T) {
	for action, name := range map[queue.Action]string{queue.Audit: "audit", queue.Refresh: "refresh", queue.Delete: "delete"} {
		sent := queue.Request{Pool: "s3_us-west-2", URL: "u", Action: action}
		body, err := queue.Encode(sent)
		require.NoError(t, err)
		require.JSONEq(t, `{"version":1,"data":{"id":"s3_us-west-2","url":"u","action":"`+name+`"}}`, body)
		got, err := queue.Decode(body)
		require.NoError(t, err)
		require.Equal(t, sent, got)
	}
}

func TestDecode(t *testing.T) {
	put := func(sha256 string) string {
		return `{"version":1,"data":{"id":"a_b","url":"u","action":"put","sha256":` + sha256 + `}}`
	}
	sealed := func(fields string) string { return `{"version":2,"data":{"id":"a_b","action":"put",` + fields + `}}` }
	named := func(id string) string {
		return `{"version":1,"data":{"id":"a_b","url":"u","action":"put","requestID":"` + id + `"}}`
	}
	const badName = "data.requestID has more than 128 characters, or one that is not printable ASCII"
	digest := strings.Repeat("0a", 32)
	for body, want := range map[string]string{
		`{"version":1,"data":{"id":"a_b","url":"u","action":"put"}}`:                 "",
		`{"version":1,"data":{"id":"a_b","url":"u","action":"purge","x":1},"y":[2]}`: "",
		put(`"` + digest + `"`):                  "",
		put(`""`):                                "",
		put(`"` + strings.ToUpper(digest) + `"`): "data.sha256 is not a SHA-256 in hex",
		put(`"` + digest[2:] + `"`):              "data.sha256 is not a SHA-256 in hex",
		put(`"` + digest + `00"`):                "data.sha256 is not a SHA-256 in hex",
		put(`"` + digest[1:] + `g"`):             "data.sha256 is not a SHA-256 in hex",
		put(`"secret"`):                          "data.sha256 is not a SHA-256 in hex",
		put(`1`):                                 `field "data.sha256" has the wrong type`,
		`{"version":1,"data":{"id":"a","url":"u","action":"put","priority":"high"}}`: `data.priority is not "low"`,
		named(strings.Repeat("x", 128)):                                              "",
		named(strings.Repeat("x", 129)):                                              badName,
		named(`secret\n`):                                                            badName,
		`secret`:                                                                     "not JSON",
		``:                                                                           "not JSON",
		`{"version":1}{"version":1}`:                                                 "not JSON",
		`null`:                                                                       "version is 0, want 1 or 2",
		`{}`:                                                                         "version is 0, want 1 or 2",
		`{"version":2}`:                                                              "data is missing",
		`{"version":3}`:                                                              "version is 3, want 1 or 2",
		sealed(`"url":"u"`):                                                          "data.sealedQuery is missing",
		sealed(`"url":"u","sealedQuery":1`):                                          `field "data.sealedQuery" has the wrong type`,
		sealed(`"url":"u","sealedQuery":"x"`):                                        "data.hash is not a SHA-256 in hex",
		sealed(`"url":"u","sealedQuery":"x","hash":"secret"`):                "data.hash is not a SHA-256 in hex",
		sealed(`"url":"u?secret","sealedQuery":"x","hash":"` + digest + `"`): "data.url has a query besides data.sealedQuery",
		sealed(`"url":"u","sealedQuery":"x","hash":"` + digest + `"`):        "",
		`{"version":"secret"}`:                                        `field "version" has the wrong type`,
		`{"version":1}`:                                               "data is missing",
		`{"version":1,"data":"secret"}`:                               `field "data" has the wrong type`,
		`{"version":1,"data":{}}`:                                     "data.id is missing",
		`{"version":1,"data":{"id":"a"}}`:                             "data.url is missing",
		`{"version":1,"data":{"id":1}}`:                               `field "data.id" has the wrong type`,
		`{"version":1,"data":{"id":"a","url":"u"}}`:                   `data.action is not "put", "purge", "audit", "refresh" or "delete"`,
		`{"version":1,"data":{"id":"a","url":"u","action":"secret"}}`: `data.action is not "put", "purge", "audit", "refresh" or "delete"`,
	} {
		t.Run(body, func(t *testing.T) {
			r, err := queue.Decode(body)
			if want == "" {
				require.NoError(t, err)
				require.Equal(t, "a_b", r.Pool)
				return
			}
			require.EqualError(t, err, want)
		})
	}
}
