package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMistakesOfTheCodecServer(t *testing.T) {
	for name, tc := range map[string]struct {
		edit    func(string) string
		environ string
		want    string
	}{
		"complete": {add(`worker: {codec_listen: "127.0.0.1:1", payload_keys: [hunter2], codec_tokens_file: x, codec_origin: "https://example.com:1"}`), "", ""},
		"no keys":  {nil, "CLOUD_MIRROR_WORKER_CODEC_LISTEN=127.0.0.1:1", "worker.codec_listen: is set, and worker.payload_keys is not"},
		"no tokens": {
			add(`worker: {codec_listen: "127.0.0.1:1", payload_keys: [hunter2]}`), "",
			"worker.codec_listen: is set, and worker.codec_tokens_file is not",
		},
		"origin with a path":      {nil, "CLOUD_MIRROR_WORKER_CODEC_ORIGIN=https://example.com/", `worker.codec_origin: "https://example.com/" is not an origin`},
		"origin without a scheme": {nil, "CLOUD_MIRROR_WORKER_CODEC_ORIGIN=example.com", `worker.codec_origin: "example.com" is not an origin`},
		"origin of everyone":      {nil, "CLOUD_MIRROR_WORKER_CODEC_ORIGIN=*", `worker.codec_origin: "*" is not an origin`},
	} {
		t.Run(name, func(t *testing.T) {
			text := minimal
			if tc.edit != nil {
				text = tc.edit(text)
			}
			_, err := load(t, text, tc.environ)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}
