package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/cloud-mirror/cloud-mirror/frontend/conns"
	"github.com/cloud-mirror/cloud-mirror/frontend/region"
	"github.com/cloud-mirror/cloud-mirror/frontend/token"
	"github.com/cloud-mirror/cloud-mirror/worker/codec"
)

// newCodec returns the codec of Temporal's payloads. It encrypts nothing without keys.
func (s *parts) newCodec() (*codec.Codec, error) {
	undecodable := promauto.With(s.registry).NewCounter(prometheus.CounterOpts{
		Name: "cloud_mirror_undecodable_payloads_total",
		Help: "Payloads of Temporal that no key of worker.payload_keys decrypts.",
	})
	c, err := codec.New(s.cfg.Worker.PayloadKeys, func(err error) {
		undecodable.Inc()
		s.log.Error().Err(err).Msg("payload not decrypted: see worker.payload_keys")
	})
	if err != nil {
		return nil, fmt.Errorf("worker.payload_keys: %w", err)
	}
	return c, nil
}

// codecServer is the codec server, on its listener. Nil is none.
type codecServer struct {
	listener net.Listener
	tokens   *token.Guard
	handler  *codec.Server
}

// newCodecServer opens the codec server if one is configured. The caller runs it.
func (s *parts) newCodecServer(ctx context.Context, payloads *codec.Codec, namespace string) (*codecServer, error) {
	w := s.cfg.Worker
	if w.CodecListen == "" {
		return nil, nil //nolint:nilnil // See codecServer.
	}
	file, err := token.Open(token.FileOptions{Path: w.CodecTokensFile, Log: s.log, Registry: s.registry})
	if err != nil {
		return nil, fmt.Errorf("worker.codec_tokens_file: %w", err)
	}
	c := &codecServer{tokens: token.NewGuard(token.Options{File: file, Log: s.log, Registry: s.registry})}
	c.handler = codec.NewServer(codec.ServerOptions{
		Codec: payloads, Namespace: namespace, Origin: w.CodecOrigin, Check: c.check,
	})
	if c.listener, err = listen(ctx, "worker.codec_listen", w.CodecListen); err != nil {
		return nil, err
	}
	s.log.Info().Stringer("listen", c.listener.Addr()).Msg("codec server listens")
	return c, nil
}

// check returns the answer to a request without the right token, or nil. It knows no client but the
// connection's peer.
func (c *codecServer) check(r *http.Request) *codec.Refusal {
	_, err := c.tokens.Check(r, region.Client(r, 0), token.Codec)
	if err == nil {
		return nil
	}
	refusal := &codec.Refusal{Status: http.StatusUnauthorized, Text: err.Error()}
	if limit, ok := errors.AsType[*token.LimitError](err); ok {
		refusal.Status, refusal.RetryAfter = http.StatusTooManyRequests, limit.RetryAfter
	} else if errors.Is(err, token.ErrScope) {
		refusal.Status = http.StatusForbidden
	}
	return refusal
}

// codecConns is the most connections to the codec server: a few people look at histories.
const codecConns = 64

// run serves until ctx ends. It does nothing if there is no codec server.
func (c *codecServer) run(ctx context.Context) error {
	if c == nil {
		<-ctx.Done()
		return nil
	}
	srv := &http.Server{
		Handler:           c.handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	guard := conns.New(conns.Options{Max: codecConns, MaxPerClient: codecConns / 2, Timeout: 30 * time.Second})
	return runAll(ctx,
		func(ctx context.Context) error { c.tokens.Run(ctx); return nil },
		func(ctx context.Context) error {
			defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
			if err := guard.Serve(srv, c.listener); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve codec: %w", err)
			}
			return nil
		},
	)
}
