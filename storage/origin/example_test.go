package origin_test

import (
	"fmt"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

func ExampleCanonical() {
	for _, raw := range []string{
		"HTTPS://Example.COM:443/Release/a b.zip?sig=x%2Fy#top",
		"https://example.com",
		"http://user:password@example.com/",
	} {
		canonical, err := origin.Canonical(raw)
		if err != nil {
			fmt.Println("error:", err)
			continue
		}
		fmt.Println(canonical)
	}
	// Output:
	// https://example.com/Release/a%20b.zip?sig=x%2Fy
	// https://example.com/
	// error: url holds a user name or password
}
