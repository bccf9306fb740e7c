package system

import (
	"os"
	"runtime/debug"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// frontendGC is GOGC of a front end. Most front ends hold less memory than the requests of one
// second leave as garbage. The memory limit bounds those that hold more.
const frontendGC = 1000

// setFrontendGC applies the policy of a front end unless GOGC or GOMEMLIMIT is set.
func setFrontendGC(cfg config.Config) {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(frontendGC)
		debug.SetMemoryLimit(cfg.FrontendMemoryLimit())
	}
}

// setWorkerGC limits the memory of a worker unless GOMEMLIMIT is set.
func setWorkerGC(cfg config.Config) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(cfg.MemoryLimit())
	}
}
