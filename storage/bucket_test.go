package storage_test

import (
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

func TestContract(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		m := &storagetest.Memory{}
		storagetest.Run(t, storagetest.Fixture{
			Bucket: m, PartSize: 1 << 10,
			Read: func(t *testing.T, key string) []byte {
				t.Helper()
				body, ok := m.Body(key)
				require.True(t, ok)
				return body
			},
		})
	})
	for _, s := range servers(t) {
		for name, change := range map[string]func(*storage.Pool){
			"":                 func(*storage.Pool) {},
			" with md5":        func(p *storage.Pool) { p.Checksum = storage.ChecksumMD5 },
			" with signatures": func(p *storage.Pool) { p.SignPayload = true },
		} {
			t.Run(s.name+name, func(t *testing.T) {
				pool := s.Pool
				change(&pool)
				b := storage.Open(s.Config, pool)
				_, err := b.Setup(t.Context(), false)
				require.NoError(t, err)
				storagetest.Run(t, storagetest.Fixture{
					Bucket: b, PartSize: storage.MinPartSize,
					Read: func(t *testing.T, key string) []byte {
						t.Helper()
						out, err := client(s.Config, pool).GetObject(t.Context(), &s3.GetObjectInput{Bucket: &pool.Bucket, Key: &key})
						require.NoError(t, err)
						body, err := io.ReadAll(out.Body)
						require.NoError(t, err)
						require.Equal(t, "text/x-test", aws.ToString(out.ContentType))
						require.Equal(t, "x-test", aws.ToString(out.ContentEncoding))
						require.Equal(t, `attachment; filename="a b"`, aws.ToString(out.ContentDisposition))
						require.Equal(t, "de, en", aws.ToString(out.ContentLanguage))
						return body
					},
				})
			})
		}
	}
}
