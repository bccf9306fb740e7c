package system

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// TestCodecServer sends tokens to the codec server that the settings describe. An address that
// guesses too often gets 429, and the right token is never limited.
func TestCodecServer(t *testing.T) {
	const (
		reader = "reader-0123456789-0123456789-0123"
		purger = "purger-0123456789-0123456789-0123"
	)
	file := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(file, []byte("alice codec "+reader+"\nbob purge "+purger+"\n"), 0o600))
	cfg := config.Default()
	cfg.Worker.CodecListen, cfg.Worker.CodecTokensFile = "127.0.0.1:0", file
	cfg.Worker.PayloadKeys = []string{"a=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}
	s := &parts{cfg: cfg, log: zerolog.Nop(), registry: prometheus.NewRegistry()}
	payloads, err := s.newCodec()
	require.NoError(t, err)
	server, err := s.newCodecServer(t.Context(), payloads, "default")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.run(ctx) }()

	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	decode := func(token string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+server.listener.Addr().String()+"/decode",
			strings.NewReader("{}"))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := client.Do(r)
		require.NoError(t, err)
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusTooManyRequests {
			require.NotEmpty(t, resp.Header.Get("Retry-After"))
		}
		return resp.StatusCode
	}
	require.Equal(t, http.StatusOK, decode(reader))
	require.Equal(t, http.StatusForbidden, decode(purger))
	for range 10 {
		require.Equal(t, http.StatusUnauthorized, decode("wrong"))
	}
	require.Equal(t, http.StatusTooManyRequests, decode("wrong"))
	require.Equal(t, http.StatusOK, decode(reader), "the right token is not limited")
	stop()
	require.NoError(t, <-done)
	_, err = client.Get("http://" + server.listener.Addr().String())
	require.Error(t, err)
}
