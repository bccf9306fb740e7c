//go:build !linux

package conns

import (
	"math"
	"net"
	"time"
)

// setUp returns -1: only Linux has the options, and polls connections. net/http still notices
// clients that leave, unless they pipeline.
func setUp(*net.TCPConn, time.Duration) (fd int) { return -1 }

func maxFiles() uint64 { return math.MaxUint64 }

type poller struct{}

func (*poller) reset()        {}
func (*poller) add(*conn)     {}
func (*poller) gone() []*conn { return nil }
