package storage_test

import (
	"fmt"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

func ExampleObject_Key() {
	for _, url := range []string{
		"https://example.com/releases/1.2/tool.tar.gz",
		"https://example.com/releases/1.2/tool.tar.gz?mirror=a",
		"https://example.com:8443/a%20b",
		"https://example.com/",
	} {
		o := storage.Object{Service: "s3", Region: "us-west-2", URL: url}
		fmt.Println(o.Key())
	}
	// Output:
	// example.com/751d11c5c5049dadaf432fb2d8545265eb9515fd346292e6b31851cfb71a2b02/tool.tar.gz
	// example.com/4cf557eebe1571b40a564fdade0cb591cb62d1b3ced0b3d2320cff15f98e4d37/tool.tar.gz
	// example.com/c765f1a9098c696ba8fe91eb0a38836ca0dca2b8b7c098e4b1af8b0e76f42f39/a_20b
	// example.com/0f115db062b7c0dd030b16878c99dea5c354b49dc37b38eb8846179c7783e9d7/object
}
