package image_test

import (
	"net"
	"path"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
)

// recordTemporal starts a recorder in front of Temporal. It forwards calls of one request and one
// reply, without looking into them.
func recordTemporal(t *testing.T, upstream string) *recorder {
	t.Helper()
	to, err := grpc.NewClient(upstream, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{})))
	require.NoError(t, err)
	r := &recorder{}
	server := grpc.NewServer(grpc.ForceServerCodecV2(raw{}), grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(s)
		r.add(path.Base(method))
		var request, reply []byte
		if err := s.RecvMsg(&request); err != nil {
			return err
		}
		headers, _ := metadata.FromIncomingContext(s.Context())
		if err := to.Invoke(metadata.NewOutgoingContext(s.Context(), headers), method, &request, &reply); err != nil {
			return err
		}
		return s.SendMsg(&reply)
	}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		require.NoError(t, to.Close())
	})
	r.at = l.Addr().String()
	return r
}

// raw is a codec that leaves messages encoded. They are *[]byte.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}
