package storage

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"
)

func corsRuleOf(id string, origins, methods []string, expose ...string) types.CORSRule {
	return types.CORSRule{ID: aws.String(id), AllowedOrigins: origins, AllowedMethods: methods, ExposeHeaders: expose}
}

func TestCORSRules(t *testing.T) {
	ours := corsRule()
	foreign := corsRuleOf("theirs", []string{"https://app.example"}, []string{"PUT"})
	anonymous := types.CORSRule{AllowedOrigins: []string{"*"}, AllowedMethods: []string{"GET"}, MaxAgeSeconds: aws.Int32(0)}
	changed := corsRule()
	changed.AllowedMethods = []string{"GET"}
	reordered := corsRule()
	reordered.AllowedMethods = []string{"HEAD", "GET"}
	reordered.AllowedOrigins = []string{"*"}
	for name, tc := range map[string]struct {
		have   []types.CORSRule
		wanted bool
		want   []types.CORSRule
	}{
		"an empty bucket gets the rule":          {nil, true, []types.CORSRule{ours}},
		"foreign rules keep their precedence":    {[]types.CORSRule{foreign, anonymous}, true, []types.CORSRule{foreign, anonymous, ours}},
		"the rule stays where it is":             {[]types.CORSRule{ours, foreign}, true, []types.CORSRule{ours, foreign}},
		"another order is the same rule":         {[]types.CORSRule{reordered, foreign}, true, []types.CORSRule{reordered, foreign}},
		"a changed rule is replaced":             {[]types.CORSRule{changed, foreign}, true, []types.CORSRule{foreign, ours}},
		"a duplicate is removed":                 {[]types.CORSRule{ours, foreign, ours}, true, []types.CORSRule{ours, foreign}},
		"off removes only the rule":              {[]types.CORSRule{foreign, ours, anonymous}, false, []types.CORSRule{foreign, anonymous}},
		"off removes a changed rule":             {[]types.CORSRule{changed}, false, nil},
		"off changes nothing in an empty bucket": {nil, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, withOurCORSRule(tc.have, tc.wanted))
		})
	}
}

// S3 applies the first rule that matches. A foreign rule before ours can hide headers from scripts.
func TestCORSRuleBeforeOurs(t *testing.T) {
	ours := corsRule()
	all := []string{"*"}
	for name, tc := range map[string]struct {
		rules []types.CORSRule
		want  []string
	}{
		"none":                     {[]types.CORSRule{ours}, nil},
		"any origin":               {[]types.CORSRule{corsRuleOf("a", all, []string{"GET"}), ours}, []string{`"a"`}},
		"HEAD only":                {[]types.CORSRule{corsRuleOf("a", all, []string{"HEAD"}), ours}, []string{`"a"`}},
		"origin null":              {[]types.CORSRule{corsRuleOf("a", []string{"null"}, []string{"GET"}), ours}, []string{`"a"`}},
		"a pattern that has null":  {[]types.CORSRule{corsRuleOf("a", []string{"n*l"}, []string{"GET"}), ours}, []string{`"a"`}},
		"no id":                    {[]types.CORSRule{{AllowedOrigins: all, AllowedMethods: []string{"GET"}}, ours}, []string{"number 1"}},
		"some headers":             {[]types.CORSRule{corsRuleOf("a", all, []string{"GET"}, "etag", "Content-Range"), ours}, []string{`"a"`}},
		"the same headers":         {[]types.CORSRule{corsRuleOf("a", all, []string{"GET"}, ours.ExposeHeaders...), ours}, nil},
		"behind ours":              {[]types.CORSRule{ours, corsRuleOf("a", all, []string{"GET"})}, nil},
		"another method":           {[]types.CORSRule{corsRuleOf("a", all, []string{"PUT", "POST"}), ours}, nil},
		"another origin":           {[]types.CORSRule{corsRuleOf("a", []string{"https://app.example"}, []string{"GET"}), ours}, nil},
		"a pattern without null":   {[]types.CORSRule{corsRuleOf("a", []string{"https://*"}, []string{"GET"}), ours}, nil},
		"a pattern longer than it": {[]types.CORSRule{corsRuleOf("a", []string{"null*null"}, []string{"GET"}), ours}, nil},
		"two": {
			[]types.CORSRule{corsRuleOf("a", all, []string{"GET"}), corsRuleOf("b", all, []string{"HEAD"}), ours}, []string{`"a"`, `"b"`},
		},
		"ours is off": {[]types.CORSRule{corsRuleOf("a", all, []string{"GET"})}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, hidingCORSRules(tc.rules))
		})
	}
}

// A browser lets a script read a header of another origin's answer only if it is safelisted
// (https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name) or exposed.
func TestCORSRuleExposesDownloadHeaders(t *testing.T) {
	rule := corsRule()
	for _, h := range []string{"Accept-Ranges", "Content-Disposition", "Content-Encoding", "Content-Length", "Content-Range", "ETag"} {
		require.Contains(t, rule.ExposeHeaders, h)
	}
	for _, h := range rule.ExposeHeaders {
		require.NotContains(t, h, "*", "S3 refuses patterns here")
	}
	require.Equal(t, []string{"GET", "HEAD"}, rule.AllowedMethods)
	require.Equal(t, []string{"*"}, rule.AllowedOrigins)
	require.Equal(t, []string{"*"}, rule.AllowedHeaders)
	require.EqualValues(t, 7200, *rule.MaxAgeSeconds)
	require.LessOrEqual(t, len(*rule.ID), 255, "the limit of S3")
}
