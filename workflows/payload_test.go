package workflows_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// recorded reads a history of testdata after an edit of its text.
func recorded(t *testing.T, file string, edit func(string) string) *history.History {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	h, err := client.HistoryFromJSON(strings.NewReader(edit(string(data))), client.HistoryJSONOptions{})
	require.NoError(t, err)
	return h
}

func unchanged(s string) string { return s }

// TestRecordedPayloadsDecode decodes payloads of 2026-11-22, when origin.Meta had keys such as
// content_type.
func TestRecordedPayloadsDecode(t *testing.T) {
	const object = "http://127.0.0.1:8090/hello.txt"
	meta := origin.Meta{
		Size: 76, ETag: `"90b79c15ebf111873f3db5895247ddd2"`, LastModified: "Sun, 22 Nov 2026 09:56:11 GMT",
		ContentType: "text/plain; charset=utf-8", AcceptRanges: true,
		Addresses: []origin.Hop{{Host: "127.0.0.1:8090", Status: 200}},
	}
	from := converter.GetDefaultDataConverter()
	var head activities.HeadSourceResult
	var in activities.StreamCopyInput
	var stored activities.Copy
	scheduled := map[int64]string{}
	for _, e := range recorded(t, "completed.json", unchanged).GetEvents() {
		if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
			scheduled[e.GetEventId()] = a.GetActivityType().GetName()
			if a.GetActivityType().GetName() == "StreamCopy" {
				require.NoError(t, from.FromPayloads(a.GetInput(), &in))
			}
		}
		if a := e.GetActivityTaskCompletedEventAttributes(); a != nil {
			switch scheduled[a.GetScheduledEventId()] {
			case "HeadSource":
				require.NoError(t, from.FromPayloads(a.GetResult(), &head))
			case "StreamCopy":
				require.NoError(t, from.FromPayloads(a.GetResult(), &stored))
			}
		}
	}
	require.Equal(t, activities.HeadSourceResult{Meta: meta}, head)
	require.Equal(t, meta, in.Meta)
	require.Equal(t, object, in.Source.URL)
	require.NotEmpty(t, in.Source.Query)
	require.EqualValues(t, 76, stored.Size)
	require.Equal(t, "Fbcnx6kHR18=", stored.CRC64NVME)
	require.Equal(t, "2026-12-22T10:14:57.331385242Z", stored.Expires.Format("2006-01-02T15:04:05.999999999Z07:00"))

	// The payloads of this build decode to the same values.
	encoded, err := from.ToPayloads(head)
	require.NoError(t, err)
	require.NotContains(t, string(encoded.GetPayloads()[0].GetData()), "_type")
	var again activities.HeadSourceResult
	require.NoError(t, from.FromPayloads(encoded, &again))
	require.Equal(t, head, again)
}

// TestEveryRecordedMetaDecodes requires a content type of every object that a recorded activity
// describes: HeadSource, in either spelling, or the first request of StreamCopy.
func TestEveryRecordedMetaDecodes(t *testing.T) {
	found := map[string]int{}
	for _, file := range histories(t) {
		scheduled := map[int64]string{}
		for _, e := range recorded(t, file, unchanged).GetEvents() {
			if a := e.GetActivityTaskScheduledEventAttributes(); a != nil {
				scheduled[e.GetEventId()] = a.GetActivityType().GetName()
			}
			a := e.GetActivityTaskCompletedEventAttributes()
			meta := describedBy(t, scheduled[a.GetScheduledEventId()], a.GetResult())
			if meta == nil {
				continue
			}
			require.NotEmpty(t, meta.ContentType, file)
			require.True(t, meta.AcceptRanges, file)
			found[filepath.Dir(file)]++
		}
	}
	require.Positive(t, found["."], "underscores")
	require.Positive(t, found["2026-11-25"], "lowerCamelCase")
	require.Positive(t, found["2026-11-25-plain-get"], "of the first request")
}

// describedBy returns the object that the result of an activity describes, if it describes one.
func describedBy(t *testing.T, activity string, result *common.Payloads) *origin.Meta {
	t.Helper()
	from := converter.GetDefaultDataConverter()
	switch activity {
	case "HeadSource":
		var head activities.HeadSourceResult
		require.NoError(t, from.FromPayloads(result, &head))
		if !head.First {
			return &head.Meta
		}
		require.EqualValues(t, -1, head.Meta.Size)
	case "StreamCopy":
		var copied activities.StreamCopyResult
		require.NoError(t, from.FromPayloads(result, &copied))
		return copied.Large
	}
	return nil
}

// TestHistoriesHaveOneSpelling requires lowerCamelCase for every key of a history, which keeps its
// keys for ever.
func TestHistoriesHaveOneSpelling(t *testing.T) {
	seen := map[reflect.Type]bool{}
	for _, v := range []any{
		workflows.CopyObjectInput{}, workflows.CopyObjectResult{}, activities.HeadSourceInput{}, activities.HeadSourceResult{},
		activities.StreamCopyInput{}, activities.StreamCopyResult{}, activities.AbortUploadInput{}, activities.SweepInput{},
		activities.SweepResult{}, activities.UpdateCacheInput{}, activities.Failure{}, activities.Progress{},
	} {
		requireLowerCamelCase(t, reflect.TypeOf(v), seen)
	}
	require.True(t, seen[reflect.TypeFor[origin.Meta]()])
	require.True(t, seen[reflect.TypeFor[origin.Digest]()])
}

func requireLowerCamelCase(t *testing.T, typ reflect.Type, seen map[reflect.Type]bool) {
	t.Helper()
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || seen[typ] || !strings.Contains(typ.PkgPath(), "cloud-mirror") {
		return
	}
	seen[typ] = true
	for f := range typ.Fields() {
		if f.Anonymous { // Its keys are the outer type's
			requireLowerCamelCase(t, f.Type, seen)
			continue
		}
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		require.Regexp(t, `^[a-z][a-zA-Z0-9]*$`, key, "%s.%s", typ, f.Name)
		requireLowerCamelCase(t, f.Type, seen)
	}
}
