package worker

import (
	"cmp"
	"fmt"
	"os"
)

// identity names a worker in events and in the Web UI: pool, host, process and version. A host that
// has no name is "localhost".
func identity(pool, version string) string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s@%s:%d cloud-mirror/%s", pool, cmp.Or(host, "localhost"), os.Getpid(), cmp.Or(version, "unknown"))
}
