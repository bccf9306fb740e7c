package upstream_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/upstream"
)

func TestNewCanonicalizesTheRoot(t *testing.T) {
	for _, tc := range []struct{ url, name, root string }{
		{"https://github.com", "github.com", "https://github.com/"},
		{"https://github.com/", "github.com", "https://github.com/"},
		{"HTTPS://GitHub.COM:443", "github.com", "https://github.com/"},
		{"https://github.com:0443/", "github.com", "https://github.com/"},
		{"https://github.com:8443", "github.com:8443", "https://github.com:8443/"},
		{"https://github.com:80", "github.com:80", "https://github.com:80/"},
		{"http://localhost:8090/files", "localhost:8090", "http://localhost:8090/files/"},
		{"http://a_b-c.example:80/x//", "", ""},
		{"https://a.example/dbazure/Download/p%20w/", "a.example", "https://a.example/dbazure/Download/p%20w/"},
		{"https://1.example/~u/a;b,c@d:e/", "1.example", "https://1.example/~u/a;b,c@d:e/"},
		{"https://xn--bcher-kva.example", "xn--bcher-kva.example", "https://xn--bcher-kva.example/"},
	} {
		t.Run(tc.url, func(t *testing.T) {
			s, err := upstream.New([]upstream.Options{{URL: tc.url, Insecure: true}})
			if tc.root == "" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []string{tc.name}, s.Names())
			require.Equal(t, []string{tc.root}, s.Roots())
			require.Equal(t, tc.root+"a?b", must(t, s, tc.name+"/a?b").URL)
		})
	}
}

func TestNewRefuses(t *testing.T) {
	const good = "https://good.example"
	for name, tc := range map[string]struct {
		options     upstream.Options
		field, text string
	}{
		"no URL":                    {upstream.Options{}, "url", "does not begin with https://"},
		"no scheme":                 {upstream.Options{URL: "good.example"}, "url", "does not begin with https://"},
		"another scheme":            {upstream.Options{URL: "ftp://good.example"}, "url", "does not begin with https://"},
		"one slash":                 {upstream.Options{URL: "https:/good.example"}, "url", "does not begin with https://"},
		"http":                      {upstream.Options{URL: "http://good.example"}, "url", "is http, and only https"},
		"no host":                   {upstream.Options{URL: "https:///a"}, "url", "a host that is not valid"},
		"an empty label":            {upstream.Options{URL: "https://a..b/"}, "url", "a host that is not valid"},
		"a final dot":               {upstream.Options{URL: "https://good.example./"}, "url", "a host that is not valid"},
		"an escape in the host":     {upstream.Options{URL: "https://good%2eexample/"}, "url", "a host that is not valid"},
		"a wildcard":                {upstream.Options{URL: "https://*.example/"}, "url", "a host that is not valid"},
		"a host of 254 bytes":       {upstream.Options{URL: "https://" + strings.Repeat("a.", 126) + "aa"}, "url", "a host that is not valid"},
		"a label of 64 bytes":       {upstream.Options{URL: "https://" + strings.Repeat("a", 64) + ".com"}, "url", "a host that is not valid"},
		"a user":                    {upstream.Options{URL: "https://user@good.example"}, "url", "a user name or a password"},
		"a password":                {upstream.Options{URL: "https://:hunter2@good.example"}, "url", "a user name or a password"},
		"a query":                   {upstream.Options{URL: good + "/?token=hunter2"}, "url", "a query or a fragment"},
		"an empty query":            {upstream.Options{URL: good + "/?"}, "url", "a query or a fragment"},
		"a fragment":                {upstream.Options{URL: good + "/#hunter2"}, "url", "a query or a fragment"},
		"IPv4":                      {upstream.Options{URL: "https://127.0.0.1/"}, "url", "an IP address"},
		"IPv4 with a port":          {upstream.Options{URL: "https://127.0.0.1:8080/"}, "url", "an IP address"},
		"IPv4 with a final dot":     {upstream.Options{URL: "https://127.0.0.1./"}, "url", "an IP address"},
		"short IPv4":                {upstream.Options{URL: "https://127.1/"}, "url", "an IP address"},
		"decimal IPv4":              {upstream.Options{URL: "https://2130706433/"}, "url", "an IP address"},
		"octal IPv4":                {upstream.Options{URL: "https://0177.0.0.01/"}, "url", "an IP address"},
		"hexadecimal IPv4":          {upstream.Options{URL: "https://0X7F000001/"}, "url", "an IP address"},
		"mixed IPv4":                {upstream.Options{URL: "https://127.0.0.0x1/"}, "url", "an IP address"},
		"empty hexadecimal":         {upstream.Options{URL: "https://a.0x/"}, "url", "an IP address"},
		"a name that ends in one":   {upstream.Options{URL: "https://a.1/"}, "url", "an IP address"},
		"IPv6":                      {upstream.Options{URL: "https://[::1]/"}, "url", "an IP address"},
		"IPv6 with a zone":          {upstream.Options{URL: "https://[::1%25lo]:8080/"}, "url", "an IP address"},
		"port 0":                    {upstream.Options{URL: good + ":0/"}, "url", "a port outside"},
		"a large port":              {upstream.Options{URL: good + ":65536/"}, "url", "a port outside"},
		"no port":                   {upstream.Options{URL: good + ":/"}, "url", "a port outside"},
		"two ports":                 {upstream.Options{URL: good + ":1:2/"}, "url", "a port outside"},
		"a signed port":             {upstream.Options{URL: good + ":+443/"}, "url", "a port outside"},
		"a space":                   {upstream.Options{URL: good + "/a b"}, "url", "a character that no URL"},
		"a line feed":               {upstream.Options{URL: good + "/a\n"}, "url", "a character that no URL"},
		"a backslash":               {upstream.Options{URL: good + "\\a"}, "url", "a character that no URL"},
		"a letter outside ASCII":    {upstream.Options{URL: "https://g\u00f6\u00f6d.example/"}, "url", "a character that no URL"},
		"the Kelvin sign":           {upstream.Options{URL: "https://\u212a.example/"}, "url", "a character that no URL"},
		"dot segments":              {upstream.Options{URL: good + "/a/../b"}, "url", "a path with dot segments"},
		"encoded dot segments":      {upstream.Options{URL: good + "/a/%2e%2e/b"}, "url", "a path with dot segments"},
		"an encoded slash":          {upstream.Options{URL: good + "/a%2fb"}, "url", "a path with dot segments"},
		"an empty segment":          {upstream.Options{URL: good + "/a//b"}, "url", "a path with dot segments"},
		"a bare percent sign":       {upstream.Options{URL: good + "/a%b"}, "url", "a path with dot segments"},
		"name none":                 {upstream.Options{Name: "none", URL: good}, "name", `"none" is not a name`},
		"name https:":               {upstream.Options{Name: "https:", URL: good}, "name", `"https:" is not a name`},
		"name http:":                {upstream.Options{Name: "http:", URL: good}, "name", `"http:" is not a name`},
		"an upper-case name":        {upstream.Options{Name: "Good", URL: good}, "name", `"Good" is not a name`},
		"a name with a slash":       {upstream.Options{Name: "a/b", URL: good}, "name", `"a/b" is not a name`},
		"a name with an escape":     {upstream.Options{Name: "a%62", URL: good}, "name", `"a%62" is not a name`},
		"a name of dots":            {upstream.Options{Name: "..", URL: good}, "name", `".." is not a name`},
		"a name with an exclam":     {upstream.Options{Name: "a!b", URL: good}, "name", `"a!b" is not a name`},
		"the name of another":       {upstream.Options{Name: "first.example", URL: good}, "name", "already the name of another"},
		"the host of another":       {upstream.Options{URL: "https://first.example/b"}, "name", "already the name of another"},
		"the root of another":       {upstream.Options{Name: "b", URL: "https://First.example:443"}, "url", "https://first.example/ is already the root"},
		"an unknown set":            {upstream.Options{URL: good, Copy: []string{"npm", "gihub"}}, "copy[1]", `"gihub" is neither a built-in set (conda, deb,`},
		"an expression without ^":   {upstream.Options{URL: good, Copy: []string{"/a"}}, "copy[0]", "is neither a built-in set"},
		"an empty rule":             {upstream.Options{URL: good, Copy: []string{""}}, "copy[0]", "is neither a built-in set"},
		"a broken expression":       {upstream.Options{URL: good, Copy: []string{"^/(a"}}, "copy[0]", "missing closing )"},
		"an expression that closes": {upstream.Options{URL: good, Copy: []string{"^a)|(b"}}, "copy[0]", "unexpected )"},
		"a negative minimum":        {upstream.Options{URL: good, MinSize: -1}, "min_size", "is negative"},
	} {
		t.Run(name, func(t *testing.T) {
			first := upstream.Options{URL: "https://first.example"}
			_, err := upstream.New([]upstream.Options{first, tc.options})
			var wrong *upstream.OptionsError
			require.ErrorAs(t, err, &wrong)
			require.Equal(t, 1, wrong.Index)
			require.Equal(t, tc.field, wrong.Field)
			require.Contains(t, wrong.Text, tc.text)
			require.Contains(t, err.Error(), "upstream ")
			require.NotContains(t, err.Error(), "hunter2")
			require.NotContains(t, err.Error(), "\n")
		})
	}
	_, err := upstream.New([]upstream.Options{{URL: "https://first.example"}, {URL: good, Copy: []string{"npm", "^/a"}}})
	require.NoError(t, err, "control")
}

// An expression holds at the start of the path, each of its alternatives.
func TestExpressionsAreAnchored(t *testing.T) {
	s, err := upstream.New([]upstream.Options{{URL: "https://example.com", Copy: []string{`^/a$|/b$|(?m)^/c`, `^/(?i)D/[^/]+\.zip$`}}})
	require.NoError(t, err)
	for path, want := range map[string]bool{
		"/a": true, "/b": true, "/c": true, "/cc": true, "/d/x.zip": true, "/D/x.ZIP": true,
		"/x/a": false, "/x/b": false, "/x/c": false, "/a/x": false, "/d/x/y.zip": false, "/d/x.zip/": false, "/": false,
	} {
		require.Equal(t, want, must(t, s, "example.com"+path).Copy, path)
		require.Equal(t, want, must(t, s, "example.com"+path+"?/x").Copy, "without the query: %s", path)
	}
}

func TestRoots(t *testing.T) {
	s, err := upstream.New([]upstream.Options{
		{URL: "https://github.com", Copy: []string{"github"}},
		{Name: "go", URL: "https://proxy.golang.org", Copy: []string{"go", "^/x"}},
		{URL: "https://codeload.github.com", Copy: []string{"github"}},
		{URL: "https://registry.npmjs.org", Copy: []string{"npm"}},
		{URL: "https://conda.anaconda.org", Copy: []string{"conda"}},
	})
	require.NoError(t, err)
	require.Equal(t, []string{"github.com", "go", "codeload.github.com", "registry.npmjs.org", "conda.anaconda.org"}, s.Names())
	require.Equal(t, []string{
		"https://github.com/", "https://proxy.golang.org/", "https://codeload.github.com/", "https://registry.npmjs.org/",
		"https://conda.anaconda.org/",
		"https://objects.githubusercontent.com/", "https://release-assets.githubusercontent.com/",
		"https://storage.googleapis.com/proxy-golang-org-prod/",
		"https://binstar-cio-packages-prod.s3.amazonaws.com/",
	}, s.Roots())
}

func TestName(t *testing.T) {
	s := configured(t)
	for url, want := range map[string]string{
		"https://example.com/":             "example.com",
		"https://example.com/a/b":          "example.com",
		"https://example.com/a/b/":         "below",
		"https://example.com/a/b/c":        "below",
		"https://example.com/a/b/c/x?y":    "deeper",
		"http://plain.example:8080/x":      "plain.example:8080",
		"http://plain.example/x":           "plain",
		"https://plain.example/x":          "",
		"https://example.com.evil.test/":   "",
		"https://example.com:8443/":        "",
		"https://only.example/rooted":      "",
		"https://evil.test/example.com/":   "",
		"https://evil.test/?example.com/a": "",
	} {
		require.Equal(t, want, s.Name(url), url)
	}
}
