package storage_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// FuzzKey checks that the keys of two objects differ, and that every server stores them unchanged.
func FuzzKey(f *testing.F) {
	f.Add("https://h/a", "https://h/b")
	f.Add("https://h/a/../b", "https://h/b")
	f.Add("https://h/", "https://h/?")
	f.Add("https://h/\x00", "https://h/_")
	f.Add("https://h/a?b=/c", "https://h/a%3Fb=/c")
	f.Add("https://[::1]:80/.", "https://[::1]:80/..")
	f.Add("", "://")
	key := regexp.MustCompile(`\A[A-Za-z0-9._-]{1,255}/[0-9a-f]{64}/[A-Za-z0-9._-]{1,255}\z`)
	f.Fuzz(func(t *testing.T, a, b string) {
		one, two := storage.Object{Service: "s3", Region: "r", URL: a}, storage.Object{Service: "s3", Region: "r", URL: b}
		if (one.Key() == two.Key()) != (a == b) || (one.Hash() == two.Hash()) != (a == b) {
			t.Fatalf("%q and %q have the keys %q and %q", a, b, one.Key(), two.Key())
		}
		for segment := range strings.SplitSeq(one.Key(), "/") {
			if !key.MatchString(one.Key()) || segment == "." || segment == ".." {
				t.Fatalf("%q has the key %q", a, one.Key())
			}
		}
	})
}
