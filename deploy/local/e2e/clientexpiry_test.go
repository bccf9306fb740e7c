package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestClientsResumeAfterTheSignatureExpired interrupts clients after the signature has expired. wget
// retries at the presigned URL. The others retry at the redirect URL, and so does another run of wget.
func TestClientsResumeAfterTheSignatureExpired(t *testing.T) {
	o := startObserved(t, "CLOUD_MIRROR_S3_PRESIGN_FOR=6s")
	s := newSource(t, 2*mib, nil)
	const rest = "bytes=1048576-"
	for _, c := range []struct {
		command string
		resumes bool
	}{
		{"curl -sSfL -C - --retry 3 --retry-all-errors -o out", true},
		{"aria2c --no-conf --retry-wait=1 -o out", true},
		{"wget --tries=3 --waitretry=1 -c -O out", false},
	} {
		t.Run(c.command, func(t *testing.T) {
			t.Parallel() // All wait for the expiry
			object, dir := s.object(), t.TempDir()
			_, _, _ = fetch(t, o.url(object))
			o.take(object)
			at := o.interrupt(object, mib)
			done := startClient(t, dir, append(strings.Fields(c.command), o.url(object))...)
			at.wait(t, "the client has a part of the copy")
			eventually(t, func() bool { return at.expired(t, strings.TrimPrefix(o.bucket.URL, "http://")) }, "the signature expires")
			close(at.release)
			err := (<-done).err
			texts, _ := o.take(object)
			if c.resumes {
				require.NoError(t, err)
				require.Len(t, texts, 4)
				require.Regexp(t, "^redirect GET ", texts[2])
				require.Regexp(t, "^bucket GET .*20[06]$", texts[3])
			} else {
				require.Error(t, err)
				require.Equal(t, []string{"redirect GET 302", "bucket GET 200", "bucket GET " + rest + " 403"}, texts)
				mustRun(t, dir, c.command, o.url(object))
				texts, _ = o.take(object)
				require.Equal(t, []string{"redirect GET " + rest + " 302", "bucket GET " + rest + " 206"}, texts)
			}
			requireFile(t, s.body, dir, "out")
		})
	}
}
