package origin_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// fullMeta has a value in every field.
func fullMeta() origin.Meta {
	return origin.Meta{
		Size: 76, ETag: `"1"`, LastModified: objectDate, ContentType: "text/plain", ContentEncoding: "gzip",
		ContentDisposition: "attachment", ContentLanguage: "de", AcceptRanges: true,
		Digests:   []origin.Digest{{Algorithm: "md5", Value: []byte{1, 2}}},
		Addresses: []origin.Hop{{Host: "example.com", Status: 200}}, Final: "https://example.com/a",
	}
}

const lowerCamelCase = `{"size":76,"etag":"\"1\"","lastModified":"` + objectDate + `","contentType":"text/plain",` +
	`"contentEncoding":"gzip","contentDisposition":"attachment","contentLanguage":"de","acceptRanges":true,` +
	`"digests":[{"algorithm":"md5","value":"AQI="}],"addresses":[{"host":"example.com","status":200}],` +
	`"final":"https://example.com/a"}`

const underscores = `{"size":76,"etag":"\"1\"","last_modified":"` + objectDate + `","content_type":"text/plain",` +
	`"content_encoding":"gzip","content_disposition":"attachment","content_language":"de","accept_ranges":true,` +
	`"digests":[{"algorithm":"md5","value":"AQI="}],"addresses":[{"host":"example.com","status":200}],` +
	`"final":"https://example.com/a"}`

func TestMetaIsEncodedInLowerCamelCase(t *testing.T) {
	encoded, err := json.Marshal(fullMeta())
	require.NoError(t, err)
	require.JSONEq(t, lowerCamelCase, string(encoded))
}

func TestMetaDecodesBothSpellings(t *testing.T) {
	for name, data := range map[string]string{"lowerCamelCase": lowerCamelCase, "underscores": underscores} {
		t.Run(name, func(t *testing.T) {
			var decoded origin.Meta
			require.NoError(t, json.Unmarshal([]byte(data), &decoded))
			require.Equal(t, fullMeta(), decoded)
		})
	}
}

func TestMetaDecodes(t *testing.T) {
	for name, tc := range map[string]struct {
		data string
		want origin.Meta
	}{
		"an empty object":           {`{}`, origin.Meta{}},
		"both spellings of a key":   {`{"content_type":"old","contentType":"new"}`, origin.Meta{ContentType: "new"}},
		"a mixture":                 {`{"content_type":"a","acceptRanges":true}`, origin.Meta{ContentType: "a", AcceptRanges: true}},
		"keys of a later version":   {`{"size":1,"somethingNew":{}}`, origin.Meta{Size: 1}},
		"a source without a length": {`{"size":-1}`, origin.Meta{Size: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			var decoded origin.Meta
			require.NoError(t, json.Unmarshal([]byte(tc.data), &decoded))
			require.Equal(t, tc.want, decoded)
		})
	}
	for _, malformed := range []string{`[]`, `{"size":"x"}`, `{"content_type":1}`, `{"contentType":1}`, `{"accept_ranges":"yes"}`} {
		require.Error(t, json.Unmarshal([]byte(malformed), &origin.Meta{}), malformed)
	}
}
