package client_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
)

func TestIsCopy(t *testing.T) {
	for name, tc := range map[string]struct {
		status   int
		location string
		want     bool
	}{
		"copy":            {302, "https://bucket.example.com/key?X-Amz-Signature=abc", true},
		"source":          {302, "https://example.com/file", false},
		"other status":    {200, "https://bucket.example.com/key?X-Amz-Signature=abc", false},
		"without a place": {503, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if tc.location != "" {
					w.Header().Set("Location", tc.location)
				}
				w.WriteHeader(tc.status)
			}))
			defer front.Close()
			resp, err := client.New(&http.Transport{DisableKeepAlives: true}).Get(front.URL + client.Path("https://example.com/file"))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got := client.IsCopy(resp); got != tc.want {
				t.Errorf("IsCopy is %v, want %v", got, tc.want)
			}
		})
	}
}
