package config_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

func TestLogTimesHaveMilliseconds(t *testing.T) {
	for format, want := range map[string]string{
		"json":    `^\{"level":"info","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)","message":"hello"\}\n$`,
		"console": `\d\d:\d\d:\d\d\.\d{3}.*hello`,
	} {
		var out bytes.Buffer
		c := config.Config{Log: config.Log{Level: "info", Format: format}}
		log := c.Logger(&out)
		log.Debug().Msg("hidden")
		log.Info().Msg("hello")
		require.Regexp(t, want, out.String())
	}
}
