package requestid_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
)

func TestOf(t *testing.T) {
	for name, tc := range map[string]struct {
		offered string
		taken   bool
	}{
		"a UUID":              {"7f0c1b1e-6f2a-4b0e-9d0a-2f6f6d1c9a01", true},
		"all printable":       {" !\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~", true},
		"the longest":         {strings.Repeat("x", requestid.MaxLength), true},
		"too long":            {strings.Repeat("x", requestid.MaxLength+1), false},
		"none":                {"", false},
		"a line break":        {"a\nb", false},
		"an escape":           {"a\x1b[31m", false},
		"a delete character":  {"a\x7f", false},
		"not ASCII":           {"é", false},
		"not UTF-8":           {"a\xff", false},
		"a null byte":         {"a\x00", false},
		"a C1 control in raw": {"a\x9b", false},
	} {
		t.Run(name, func(t *testing.T) {
			h := http.Header{requestid.Header: {tc.offered}}
			id := requestid.Of(h)
			require.True(t, requestid.Valid(id))
			require.Equal(t, tc.taken, id == tc.offered)
			if !tc.taken {
				require.NotEqual(t, id, requestid.Of(h), "made ids differ")
			}
		})
	}
}

func TestLog(t *testing.T) {
	var out bytes.Buffer
	log := zerolog.New(&out)
	requestid.Log(requestid.With(t.Context(), "r1"), log.Info()).Msg("with")
	requestid.Log(requestid.With(t.Context(), ""), log.Info()).Msg("without")
	with, without, _ := strings.Cut(out.String(), "\n")
	require.JSONEq(t, `{"level":"info","request_id":"r1","message":"with"}`, with)
	require.JSONEq(t, `{"level":"info","message":"without"}`, without)
}
