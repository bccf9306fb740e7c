package origin_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// The digests of content, computed by openssl, and two that are not content's.
const (
	digestMD5    = "eB5eJF1ptWaXm4bijSPyxw=="
	digestSHA    = "h6zsF82dzSCnFsws9nQXtxyKcBY="
	digestSHA256 = "hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII="
	digestSHA512 = "u5bC/EDS1UYX1vJ2/r5XH2I6ja3wtzSFUpmw4Qf9oyz2tp8toys2RF1zaQuTy9D3v8IOD38oVT0qRCjyO3FukA=="

	wrongMD5    = "AAAAAAAAAAAAAAAAAAAAAA=="
	emptySHA256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
)

// digests returns content's digests for a list of algorithms, separated by spaces.
func digests(t *testing.T, algorithms string) []origin.Digest {
	t.Helper()
	encoded := map[string]string{"md5": digestMD5, "sha": digestSHA, "sha-256": digestSHA256, "sha-512": digestSHA512}
	var all []origin.Digest
	for algorithm := range strings.FieldsSeq(algorithms) {
		value, err := base64.StdEncoding.DecodeString(encoded[algorithm])
		require.NoError(t, err)
		all = append(all, origin.Digest{Algorithm: algorithm, Value: value})
	}
	return all
}

// corrupted returns d with one bit of its value flipped.
func corrupted(d origin.Digest) origin.Digest {
	value := []byte(string(d.Value))
	value[len(value)-1] ^= 1
	return origin.Digest{Algorithm: d.Algorithm, Value: value}
}

func TestMetaHasTheDigests(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header http.Header
		want   string // the expected algorithms; "two md5" is a contradiction
	}{
		{"none", nil, ""},
		{"Content-MD5", http.Header{"Content-Md5": {digestMD5}}, "md5"},
		{"Digest, in any order and case", http.Header{"Digest": {"MD5=" + digestMD5 + ",SHA=" + digestSHA, "Sha-512=" + digestSHA512 + " , sha-256=" + digestSHA256}},
			"sha-512 sha-256 sha md5"},
		{"Repr-Digest", http.Header{"Repr-Digest": {"md5=:" + digestMD5 + ":, sha=:" + digestSHA + ":", "sha-256=:" + digestSHA256 + ":;a=b,sha-512=:" + digestSHA512 + ":"}},
			"sha-512 sha-256 sha md5"},
		{"Content-Digest", http.Header{"Content-Digest": {"md5=:" + digestMD5 + ":, sha=:" + digestSHA + ":, sha-256=:" + digestSHA256 + ":, sha-512=:" + digestSHA512 + ":"}},
			"sha-512 sha-256 sha md5"},
		{"a different algorithm in each header", http.Header{"Content-Md5": {digestMD5}, "Digest": {"SHA=" + digestSHA}, "Repr-Digest": {"sha-256=:" + digestSHA256 + ":"}, "Content-Digest": {"sha-512=:" + digestSHA512 + ":"}},
			"sha-512 sha-256 sha md5"},
		{"the same in each header", http.Header{"Content-Md5": {digestMD5}, "Digest": {"MD5=" + digestMD5}, "Repr-Digest": {"md5=:" + digestMD5 + ":"}, "Content-Digest": {"md5=:" + digestMD5 + ":"}},
			"md5"},
		{"RFC 9530, appendix B.2", http.Header{"Repr-Digest": {"sha-256=:" + digestSHA256 + ":"}, "Content-Digest": {"sha-256=:" + emptySHA256 + ":"}},
			"two sha-256"},

		{"unknown algorithms", http.Header{"Digest": {"UNIXsum=30637,ADLER32=03da0195,MD5=" + digestMD5}, "Repr-Digest": {"crc32c=:AAAAAA==:, sha-256=:" + digestSHA256 + ":"}},
			"sha-256 md5"},
		{"hex", http.Header{"Content-Md5": {"781e5e245d69b566979b86e28d23f2c7"}, "Digest": {"SHA-256=84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"}}, ""},
		{"wrong lengths", http.Header{"Content-Md5": {digestSHA}, "Digest": {"SHA-256=" + digestSHA512}, "Repr-Digest": {"sha=:" + digestMD5 + ":,sha-512=::"}}, ""},
		{"not base64", http.Header{"Content-Md5": {"!" + digestMD5[1:]}, "Digest": {"MD5=" + digestMD5[:22]}, "Repr-Digest": {"md5=:" + digestMD5 + "=:"}}, ""},
		{"not in colons", http.Header{"Repr-Digest": {"md5=" + digestMD5 + ", sha=:" + digestSHA + ", sha-256=" + digestSHA256 + ":, sha-512"}}, ""},
		{"in needless colons", http.Header{"Digest": {"md5=:" + digestMD5 + ":"}}, ""},
		{"only separators", http.Header{"Content-Md5": {""}, "Digest": {",=,;"}, "Repr-Digest": {":,=:,::,=::"}}, ""},
		{"a malformed digest beside a good digest", http.Header{"Content-Md5": {"?"}, "Digest": {"MD5=?,MD5=" + digestMD5}}, "md5"},

		{"a contradiction within a header", http.Header{"Digest": {"MD5=" + digestMD5 + ",md5=" + wrongMD5}}, "two md5"},
		{"a contradiction between lines", http.Header{"Content-Md5": {digestMD5, wrongMD5}}, "two md5"},
		{"a contradiction between headers", http.Header{"Content-Md5": {wrongMD5}, "Repr-Digest": {"md5=:" + digestMD5 + ":"}}, "two md5"},
		{"a contradiction within Repr-Digest", http.Header{"Repr-Digest": {"md5=:" + digestMD5 + ":, sha=:" + digestSHA + ":, md5=:" + wrongMD5 + ":"}}, "two md5"},
	} {
		for _, request := range requests[:2] {
			t.Run(tt.name+", "+request.name, func(t *testing.T) {
				server := newSource(t, func(w http.ResponseWriter, _ *http.Request) { maps.Copy(w.Header(), tt.header) })
				body, err := request.send(testContext(t), newClient(t, nil), server.URL+"/?"+secret)
				if strings.HasPrefix(tt.want, "two ") {
					failure := requireFailure(t, err, origin.ClassUnverifiable, true)
					assert.Contains(t, failure.Error(), "it sends "+strings.Replace(tt.want, "two ", "two different ", 1)+" digests")
					return
				}
				require.NoError(t, err)
				require.NoError(t, body.Close())
				assert.Equal(t, digests(t, tt.want), body.Meta().Digests)
			})
		}
	}
}

// headerLines returns CRLF-terminated header lines for a digest. In form, "%[1]s" stands for its
// algorithm and "%[2]s" for its value.
func headerLines(form string, d origin.Digest) string {
	return fmt.Sprintf(form, d.Algorithm, base64.StdEncoding.EncodeToString(d.Value)) + "\r\n"
}

// TestWholeObjectsAreVerified compares every algorithm of every header with the bytes. The right
// digest passes, a wrong digest fails.
func TestWholeObjectsAreVerified(t *testing.T) {
	framings := []struct{ name, rest string }{
		{"a length", "Content-Length: 10\r\n\r\n0123456789"},
		{"chunks", "Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n"},
		{"no framing", "\r\n0123456789"},
	}
	for _, tt := range []struct{ name, form, algorithms string }{
		{"Content-MD5", "Content-MD5: %[2]s", "md5"},
		{"Digest", "Digest: %[1]s=%[2]s", "sha-512 sha-256 sha md5"},
		{"Repr-Digest", "Repr-Digest: %[1]s=:%[2]s:", "sha-512 sha-256 sha md5"},
		{"Content-Digest", "Content-Digest: %[1]s=:%[2]s:", "sha-512 sha-256 sha md5"},
	} {
		for _, right := range digests(t, tt.algorithms) {
			for _, framing := range framings {
				for _, request := range requests[:2] {
					t.Run(tt.name+", "+right.Algorithm+", "+framing.name+", "+request.name, func(t *testing.T) {
						get := func(d origin.Digest, class origin.Class) {
							url := newRawSource(t, false, "HTTP/1.1 200 OK\r\n"+headerLines(tt.form, d)+framing.rest)
							body, err := request.send(testContext(t), newClient(t, nil), url)
							require.NoError(t, err, "the bytes decide")
							requireBody(t, body, err, content, class)
						}
						get(right, "")
						get(corrupted(right), origin.ClassCorrupt)
					})
				}
			}
		}
	}
}

func TestDigestsAreCombined(t *testing.T) {
	md5, sha := digests(t, "md5")[0], digests(t, "sha")[0]
	const form = "Digest: %[1]s=%[2]s"
	const whole = "Content-Length: 10\r\n\r\n0123456789"
	for _, tt := range []struct {
		name   string
		answer string
		class  origin.Class // "" is success
	}{
		{"two right ones", headerLines(form, md5) + headerLines(form, sha) + whole, ""},
		{"the weaker one is wrong", headerLines(form, sha) + headerLines(form, corrupted(md5)) + whole, origin.ClassCorrupt},
		{"the stronger one is wrong", headerLines(form, corrupted(sha)) + headerLines(form, md5) + whole, origin.ClassCorrupt},
		{"a contradiction, the first is right", headerLines(form, md5) + headerLines(form, corrupted(md5)) + whole, origin.ClassUnverifiable},
		{"a contradiction, the last is right", headerLines(form, corrupted(md5)) + headerLines(form, md5) + whole, origin.ClassUnverifiable},
		{"malformed digests promise nothing", "Content-MD5: ?\r\nDigest: MD5=AAAA\r\nRepr-Digest: md5=" + digestSHA + "\r\n" + whole, ""},
		{"malformed digests do not hide others", "Content-MD5: ?\r\n" + headerLines(form, corrupted(md5)) + whole, origin.ClassCorrupt},
		{"an unknown algorithm promises nothing", "Digest: crc32c=AAAAAA==\r\n" + whole, ""},

		{"the right bytes, cut short", headerLines(form, md5) + "Content-Length: 10\r\n\r\n01234", origin.ClassTruncated},
		{"cut short without framing", headerLines(form, md5) + "\r\n01234", origin.ClassCorrupt},
		{"an under-declared length", headerLines(form, md5) + "Connection: close\r\nContent-Length: 5\r\n\r\n0123456789", origin.ClassCorrupt},
		{"an empty body with the digest of a full one", headerLines(form, md5) + "Content-Length: 0\r\n\r\n", origin.ClassCorrupt},
	} {
		for _, request := range requests[:2] {
			t.Run(tt.name+", "+request.name, func(t *testing.T) {
				url := newRawSource(t, false, "HTTP/1.1 200 OK\r\n"+tt.answer)
				body, err := request.send(testContext(t), newClient(t, nil), url)
				requireBody(t, body, err, content, tt.class)
			})
		}
	}

	body, err := newClient(t, nil).First(testContext(t),
		newRawSource(t, false, "HTTP/1.1 200 OK\r\nRepr-Digest: sha-256=:"+emptySHA256+":\r\nContent-Length: 0\r\n\r\n"))
	requireBody(t, body, err, "", "")
}

// TestLastByteOfACorruptBodyIsWithheld checks that no way of reading yields all expected bytes
// without an error.
func TestLastByteOfACorruptBodyIsWithheld(t *testing.T) {
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"unchanged":    func(r io.Reader) io.Reader { return r },
		"byte by byte": iotest.OneByteReader,
		"half reads":   iotest.HalfReader,
	} {
		t.Run(name, func(t *testing.T) {
			sha256 := corrupted(digests(t, "sha-256")[0])
			server := newSource(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Digest", "SHA-256="+base64.StdEncoding.EncodeToString(sha256.Value))
				serveContent(w, r)
			})
			body, err := newClient(t, nil).Get(testContext(t), server.URL+"/")
			require.NoError(t, err)
			got := make([]byte, 10)
			n, err := io.ReadFull(wrap(body), got)
			require.NoError(t, body.Close())
			requireFailure(t, err, origin.ClassCorrupt, false)
			assert.Equal(t, content[:9], string(got[:n]))
		})
	}
}

// TestVerifierChecksRanges lets the caller verify ranges. The caller may be another process at each
// range.
func TestVerifierChecksRanges(t *testing.T) {
	for name, flip := range map[string]string{"honest": "", "one bit flipped": "8"} {
		t.Run(name, func(t *testing.T) {
			server := newSource(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Digest", "MD5="+digestMD5+",SHA-256="+digestSHA256)
				if flip != "" {
					w = corruptingWriter{w, flip}
				}
				serveContent(w, r)
			})
			client, url := newClient(t, nil), server.URL+"/?"+secret
			meta, err := describe(t, client, url)
			require.NoError(t, err)
			require.Equal(t, digests(t, "sha-256 md5"), meta.Digests)
			var state []byte
			var got strings.Builder
			for off := int64(0); off < meta.Size; off += 5 {
				body, err := client.GetRange(testContext(t), url, meta, off, 5)
				require.NoError(t, err)
				verifier := origin.NewVerifier(meta.Digests...)
				if off > 0 {
					require.NoError(t, verifier.Restore(state))
				}
				_, err = io.Copy(io.MultiWriter(verifier, &got), body)
				require.NoError(t, err, "GetRange checks no digest")
				require.NoError(t, body.Close())
				state, err = verifier.State()
				require.NoError(t, err)
			}
			verifier := origin.NewVerifier(meta.Digests...)
			require.NoError(t, verifier.Restore(state))
			if flip == "" {
				require.NoError(t, verifier.Check())
				require.Equal(t, content, got.String())
				return
			}
			requireFailure(t, verifier.Check(), origin.ClassCorrupt, false)
			require.NotEqual(t, content, got.String())
		})
	}
}

// corruptingWriter replaces one character in all that it writes.
type corruptingWriter struct {
	http.ResponseWriter
	from string
}

func (f corruptingWriter) Write(p []byte) (int, error) {
	return f.ResponseWriter.Write([]byte(strings.ReplaceAll(string(p), f.from, "?")))
}
