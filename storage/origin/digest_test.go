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

// TestHeadReadsDigests runs each case in three modes: HEAD, a probe whose response is the whole
// object, and a probe whose response is its first byte.
func TestHeadReadsDigests(t *testing.T) {
	for _, tt := range []struct {
		name              string
		header            http.Header
		head, whole, part string // the expected algorithms; "two md5" is a contradiction
	}{
		{"none", nil, "", "", ""},
		{"Content-MD5", http.Header{"Content-Md5": {digestMD5}}, "md5", "md5", ""},
		{"Digest, in any order and case", http.Header{"Digest": {"MD5=" + digestMD5 + ",SHA=" + digestSHA, "Sha-512=" + digestSHA512 + " , sha-256=" + digestSHA256}},
			"sha-512 sha-256 sha md5", "sha-512 sha-256 sha md5", ""},
		{"Repr-Digest", http.Header{"Repr-Digest": {"md5=:" + digestMD5 + ":, sha=:" + digestSHA + ":", "sha-256=:" + digestSHA256 + ":;a=b,sha-512=:" + digestSHA512 + ":"}},
			"sha-512 sha-256 sha md5", "sha-512 sha-256 sha md5", "sha-512 sha-256 sha md5"},
		{"Content-Digest", http.Header{"Content-Digest": {"md5=:" + digestMD5 + ":, sha=:" + digestSHA + ":, sha-256=:" + digestSHA256 + ":, sha-512=:" + digestSHA512 + ":"}},
			"", "sha-512 sha-256 sha md5", ""},
		{"a different algorithm in each header", http.Header{"Content-Md5": {digestMD5}, "Digest": {"SHA=" + digestSHA}, "Repr-Digest": {"sha-256=:" + digestSHA256 + ":"}, "Content-Digest": {"sha-512=:" + digestSHA512 + ":"}},
			"sha-256 sha md5", "sha-512 sha-256 sha md5", "sha-256"},
		{"the same in each header", http.Header{"Content-Md5": {digestMD5}, "Digest": {"MD5=" + digestMD5}, "Repr-Digest": {"md5=:" + digestMD5 + ":"}, "Content-Digest": {"md5=:" + digestMD5 + ":"}},
			"md5", "md5", "md5"},
		{"RFC 9530, appendix B.2", http.Header{"Repr-Digest": {"sha-256=:" + digestSHA256 + ":"}, "Content-Digest": {"sha-256=:" + emptySHA256 + ":"}},
			"sha-256", "two sha-256", "sha-256"},

		{"unknown algorithms", http.Header{"Digest": {"UNIXsum=30637,ADLER32=03da0195,MD5=" + digestMD5}, "Repr-Digest": {"crc32c=:AAAAAA==:, sha-256=:" + digestSHA256 + ":"}},
			"sha-256 md5", "sha-256 md5", "sha-256"},
		{"hex", http.Header{"Content-Md5": {"781e5e245d69b566979b86e28d23f2c7"}, "Digest": {"SHA-256=84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"}}, "", "", ""},
		{"wrong lengths", http.Header{"Content-Md5": {digestSHA}, "Digest": {"SHA-256=" + digestSHA512}, "Repr-Digest": {"sha=:" + digestMD5 + ":,sha-512=::"}}, "", "", ""},
		{"not base64", http.Header{"Content-Md5": {"!" + digestMD5[1:]}, "Digest": {"MD5=" + digestMD5[:22]}, "Repr-Digest": {"md5=:" + digestMD5 + "=:"}}, "", "", ""},
		{"not in colons", http.Header{"Repr-Digest": {"md5=" + digestMD5 + ", sha=:" + digestSHA + ", sha-256=" + digestSHA256 + ":, sha-512"}}, "", "", ""},
		{"in needless colons", http.Header{"Digest": {"md5=:" + digestMD5 + ":"}}, "", "", ""},
		{"only separators", http.Header{"Content-Md5": {""}, "Digest": {",=,;"}, "Repr-Digest": {":,=:,::,=::"}}, "", "", ""},
		{"a malformed digest beside a good digest", http.Header{"Content-Md5": {"?"}, "Digest": {"MD5=?,MD5=" + digestMD5}}, "md5", "md5", ""},

		{"a contradiction within a header", http.Header{"Digest": {"MD5=" + digestMD5 + ",md5=" + wrongMD5}}, "two md5", "two md5", ""},
		{"a contradiction between lines", http.Header{"Content-Md5": {digestMD5, wrongMD5}}, "two md5", "two md5", ""},
		{"a contradiction between headers", http.Header{"Content-Md5": {wrongMD5}, "Repr-Digest": {"md5=:" + digestMD5 + ":"}}, "two md5", "two md5", "md5"},
		{"a contradiction within Repr-Digest", http.Header{"Repr-Digest": {"md5=:" + digestMD5 + ":, sha=:" + digestSHA + ":, md5=:" + wrongMD5 + ":"}}, "two md5", "two md5", "two md5"},
	} {
		for _, mode := range []string{"head", "whole", "part"} {
			t.Run(tt.name+", "+mode, func(t *testing.T) {
				want := map[string]string{"head": tt.head, "whole": tt.whole, "part": tt.part}[mode]
				server := newSource(t, func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodHead && mode != "head" {
						w.WriteHeader(http.StatusForbidden)
						return
					}
					maps.Copy(w.Header(), tt.header)
					if mode == "part" {
						w.Header().Set("Content-Range", "bytes 0-0/10")
						w.WriteHeader(http.StatusPartialContent)
					}
				})
				meta, err := newClient(t, nil).Head(testContext(t), server.URL+"/?"+secret)
				if strings.HasPrefix(want, "two ") {
					failure := requireFailure(t, err, origin.ClassUnverifiable, true)
					assert.Contains(t, failure.Error(), "it sends "+strings.Replace(want, "two ", "two different ", 1)+" digests")
					return
				}
				require.NoError(t, err)
				assert.Equal(t, digests(t, want), meta.Digests)
			})
		}
	}
}

// headerLines returns CRLF-terminated header lines for a digest. In form, "%[1]s" stands for its
// algorithm and "%[2]s" for its value.
func headerLines(form string, d origin.Digest) string {
	return fmt.Sprintf(form, d.Algorithm, base64.StdEncoding.EncodeToString(d.Value)) + "\r\n"
}

// TestGetVerifiesDigests compares every algorithm of every header, and of HEAD, with the bytes. The
// right digest passes, a wrong digest fails.
func TestGetVerifiesDigests(t *testing.T) {
	const chunks = "Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n"
	framings := []struct {
		name, rest string
		size       int64 // by HEAD
	}{
		{"a length", "Content-Length: 10\r\n\r\n0123456789", 10},
		{"a length from GET only", "Content-Length: 10\r\n\r\n0123456789", -1},
		{"chunks", chunks, 10},
		{"chunks of an unknown size", chunks, -1},
		{"no framing", "\r\n0123456789", 10},
		{"no framing of an unknown size", "\r\n0123456789", -1},
	}
	for _, tt := range []struct{ name, form, algorithms string }{
		{"Content-MD5", "Content-MD5: %[2]s", "md5"},
		{"Digest", "Digest: %[1]s=%[2]s", "sha-512 sha-256 sha md5"},
		{"Repr-Digest", "Repr-Digest: %[1]s=:%[2]s:", "sha-512 sha-256 sha md5"},
		{"Content-Digest", "Content-Digest: %[1]s=:%[2]s:", "sha-512 sha-256 sha md5"},
		{"HEAD", "", "sha-512 sha-256 sha md5"},
	} {
		for _, right := range digests(t, tt.algorithms) {
			for _, framing := range framings {
				t.Run(tt.name+", "+right.Algorithm+", "+framing.name, func(t *testing.T) {
					get := func(d origin.Digest, class origin.Class) {
						want, answer := origin.Meta{Size: framing.size}, framing.rest
						if tt.form == "" {
							want.Digests = []origin.Digest{d}
						} else {
							answer = headerLines(tt.form, d) + answer
						}
						body, err := newClient(t, nil).Get(testContext(t), newRawSource(t, false, "HTTP/1.1 200 OK\r\n"+answer), want)
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

func TestGetCombinesDigests(t *testing.T) {
	md5, sha := digests(t, "md5")[0], digests(t, "sha")[0]
	const form = "Digest: %[1]s=%[2]s"
	const whole = "Content-Length: 10\r\n\r\n0123456789"
	sized := func(all ...origin.Digest) origin.Meta { return origin.Meta{Size: 10, Digests: all} }
	unsized := origin.Meta{Size: -1}
	for _, tt := range []struct {
		name   string
		want   origin.Meta
		answer string
		class  origin.Class // "" is success
	}{
		{"HEAD and GET agree", sized(md5, sha), headerLines(form, md5) + headerLines(form, sha) + whole, ""},
		{"HEAD and GET disagree, GET is right", sized(corrupted(md5)), headerLines(form, md5) + whole, origin.ClassChanged},
		{"HEAD and GET disagree, HEAD is right", sized(sha, md5), headerLines(form, sha) + headerLines(form, corrupted(md5)) + whole, origin.ClassChanged},
		{"HEAD's is wrong, GET's of another algorithm is right", sized(corrupted(md5)), headerLines(form, sha) + whole, origin.ClassCorrupt},
		{"GET's is wrong, HEAD's of another algorithm is right", sized(md5), headerLines(form, corrupted(sha)) + whole, origin.ClassCorrupt},
		{"GET contradicts itself", sized(), headerLines(form, md5) + headerLines(form, corrupted(md5)) + whole, origin.ClassUnverifiable},
		{"malformed digests promise nothing", sized(), "Content-MD5: ?\r\nDigest: MD5=AAAA\r\nRepr-Digest: md5=" + digestSHA + "\r\n" + whole, ""},
		{"malformed digests do not hide HEAD's", sized(corrupted(md5)), "Content-MD5: ?\r\n" + whole, origin.ClassCorrupt},
		{"an unknown algorithm can't be verified", sized(origin.Digest{Algorithm: "crc32c", Value: make([]byte, 4)}), whole, origin.ClassCorrupt},

		{"the right bytes, cut short", sized(), headerLines(form, md5) + "Content-Length: 10\r\n\r\n01234", origin.ClassTruncated},
		{"cut short without framing", unsized, headerLines(form, md5) + "\r\n01234", origin.ClassCorrupt},
		{"HEAD and GET under-declare the length", origin.Meta{Size: 5}, headerLines(form, md5) + "Connection: close\r\nContent-Length: 5\r\n\r\n0123456789", origin.ClassCorrupt},
		{"an empty body with the digest of a full one", origin.Meta{}, headerLines(form, md5) + "Content-Length: 0\r\n\r\n", origin.ClassCorrupt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, err := newClient(t, nil).Get(testContext(t), newRawSource(t, false, "HTTP/1.1 200 OK\r\n"+tt.answer), tt.want)
			requireBody(t, body, err, content, tt.class)
		})
	}

	body, err := newClient(t, nil).Get(testContext(t),
		newRawSource(t, false, "HTTP/1.1 200 OK\r\nRepr-Digest: sha-256=:"+emptySHA256+":\r\nContent-Length: 0\r\n\r\n"), origin.Meta{})
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
			want := origin.Meta{Size: 10, Digests: []origin.Digest{corrupted(digests(t, "sha-256")[0])}}
			body, err := newClient(t, nil).Get(testContext(t), newSource(t, serveContent).URL+"/", want)
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
				if r.Method == http.MethodGet && flip != "" {
					w = corruptingWriter{w, flip}
				}
				serveContent(w, r)
			})
			client, url := newClient(t, nil), server.URL+"/?"+secret
			meta, err := client.Head(testContext(t), url)
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
