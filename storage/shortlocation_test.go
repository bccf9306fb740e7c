package storage_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

const hashed = "/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/"

func TestShortLocationsAreTheirURLs(t *testing.T) {
	static := credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", "")
	session := credentials.NewStaticCredentialsProvider("ASIAIOSFODNN7EXAMPLE", "secret", strings.Repeat("token+/=", 100))
	for name, tc := range map[string]struct {
		creds aws.CredentialsProvider
		pool  storage.Pool
	}{
		"static credentials":    {static, storage.Pool{Bucket: "bucket"}},
		"a session token":       {session, storage.Pool{Bucket: "bucket"}},
		"another server":        {static, storage.Pool{Bucket: "bucket", Endpoint: "http://127.0.0.1:9000", PathStyle: true}},
		"a bucket like the key": {static, storage.Pool{Bucket: "host", Endpoint: "http://host", PathStyle: true}},
		"public":                {static, storage.Pool{Bucket: "bucket", PublicURL: "https://cdn.example/base/"}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.pool.Service, tc.pool.Region, tc.pool.PresignFor = "s3", "us-west-2", time.Hour
			b := storage.Open(aws.Config{Credentials: tc.creds}, tc.pool)
			var forms storage.Forms
			for i := range 20 {
				for _, method := range []string{http.MethodGet, http.MethodHead} {
					key := fmt.Sprint("host", hashed, "name-", i, ".tar.gz")
					var expires time.Time
					if i%2 > 0 { // Another validity.
						expires = time.Now().Add(time.Duration(100+i) * time.Second)
					}
					got, err := b.Location(t.Context(), method, key, expires)
					require.NoError(t, err)
					short := forms.Shorten(got.URL, key)
					require.Equal(t, got.URL, string(short.Append(nil, []byte(key))))
					require.True(t, short.Plain())
					require.Zero(t, short.Own(), "it has text of its own")
				}
			}
			require.LessOrEqual(t, forms.Len(), 4, "the URLs share no text") // Midnight makes two more.
		})
	}
}

// TestLocationsThatStayWhole are URLs that no pool of ours has.
func TestLocationsThatStayWhole(t *testing.T) {
	const key = "host" + hashed + "name"
	signature := strings.Repeat("0a", 32)
	signed := "https://b.example/" + key + "?X-Amz-Date=20261126T010203Z&X-Amz-Expires=3600&X-Amz-Signature=" + signature
	var forms storage.Forms
	control := forms.Shorten(signed, key)
	require.Zero(t, control.Own(), "control")
	require.Equal(t, signed, string(control.Append(nil, []byte(key))))
	for name, url := range map[string]string{
		"another key":             "https://b.example/other",
		"a short signature":       strings.TrimSuffix(signed, "0a"),
		"a signature in capitals": strings.Replace(signed, signature, strings.ToUpper(signature), 1),
		"no signature":            strings.TrimSuffix(signed, "X-Amz-Signature="+signature),
		"no validity":             strings.Replace(signed, "3600", "", 1),
		"a validity of 03600":     strings.Replace(signed, "3600", "03600", 1),
		"a huge validity":         strings.Replace(signed, "3600", "99999999999", 1),
		"no time":                 strings.Replace(signed, "010203", "", 1),
		"a cut date":              "https://b.example/" + key + "?X-Amz-Date=2026",
		"another order":           "https://b.example/" + key + "?X-Amz-Signature=" + signature + "&X-Amz-Date=20261126T010203Z&X-Amz-Expires=3600",
		"empty":                   "",
	} {
		t.Run(name, func(t *testing.T) {
			short := forms.Shorten(url, key)
			require.Equal(t, url, string(short.Append(nil, []byte(key))))
			require.Greater(t, short.Own(), len(url))
		})
	}
	require.Equal(t, 1, forms.Len(), "forms of single URLs are kept")
}

func TestFormsAreBounded(t *testing.T) {
	var forms storage.Forms
	const key = "host" + hashed + "name"
	var all []storage.ShortLocation
	for i := range 1000 {
		all = append(all, forms.Shorten(fmt.Sprintf("https://b.example/%d/%s", i, key), key))
	}
	require.Equal(t, 8, forms.Len())
	for i := range all { // A location does not need its form among the recent ones.
		require.Equal(t, fmt.Sprintf("https://b.example/%d/%s", i, key), string(all[i].Append(nil, []byte(key))))
	}
}

func TestPlainLocations(t *testing.T) {
	var forms storage.Forms
	for url, want := range map[string]bool{
		"https://b.example/k?a=b&c=<>%20": true, "https://b.example/k\"": false, `https://b.example/k\`: false,
		"https://b.example/k é": false, "https://b.example/k\n": false, "https://b.example/ k": false, "https://b.example/k\x7f": false,
	} {
		short := forms.Shorten(url, "k")
		require.Equal(t, want, short.Plain(), url)
	}
}

func FuzzShorten(f *testing.F) {
	f.Add("https://b.example/k?X-Amz-Date=20261126T010203Z&X-Amz-Expires=3600&X-Amz-Signature="+strings.Repeat("0a", 32), "k")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, url, key string) {
		var forms storage.Forms
		short := forms.Shorten(url, key)
		if got := string(short.Append(nil, []byte(key))); got != url {
			t.Fatalf("%q with the key %q becomes %q", url, key, got)
		}
	})
}

func TestShortLocationAllocatesNothing(t *testing.T) {
	b := storage.Open(aws.Config{Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}, storage.Pool{
		Service: "s3", Region: "us-west-2", Bucket: "bucket", PresignFor: time.Hour,
	})
	key := fmt.Sprint("host", hashed, rand.N(1000))
	got, err := b.Location(context.Background(), http.MethodGet, key, time.Time{})
	require.NoError(t, err)
	var forms storage.Forms
	short, buf, name := forms.Shorten(got.URL, key), make([]byte, 0, 1024), []byte(key)
	require.Zero(t, testing.AllocsPerRun(100, func() { buf = short.Append(buf[:0], name) }))
}
