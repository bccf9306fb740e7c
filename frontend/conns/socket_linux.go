package conns

import (
	"math"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// setUp sets the options of a connection and returns its descriptor, or -1 if it is closed.
func setUp(c *net.TCPConn, timeout time.Duration) (fd int) {
	fd = -1
	raw, err := c.SyscallConn()
	if err != nil {
		return fd
	}
	_ = raw.Control(func(s uintptr) {
		fd = int(s)
		if timeout > 0 {
			// An error leaves the kernel's default, and Longest.
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(timeout.Milliseconds()))
		}
	})
	if timeout > 0 {
		// With a user timeout, the kernel gives up at that time, not after Count probes:
		// https://man7.org/linux/man-pages/man7/tcp.7.html
		_ = c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: max(timeout/3, time.Second), Interval: max(timeout/6, time.Second), Count: 3})
	}
	return fd
}

// maxFiles returns how many files the process may open.
func maxFiles() uint64 {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return math.MaxUint64
	}
	return limit.Cur
}

// poller polls connections. Its memory is reused.
type poller struct {
	conns []*conn
	fds   []unix.PollFd
}

func (p *poller) reset() {
	clear(p.conns)
	p.conns, p.fds = p.conns[:0], p.fds[:0]
}

func (p *poller) add(c *conn) {
	p.conns = append(p.conns, c)
	p.fds = append(p.fds, unix.PollFd{Fd: int32(c.fd), Events: unix.POLLIN | unix.POLLRDHUP}) //nolint:gosec // A descriptor fits.
}

// gone returns the connections whose peer has closed or reset them, or has sent too much.
func (p *poller) gone() (gone []*conn) {
	if len(p.fds) == 0 {
		return nil
	}
	if n, err := unix.Poll(p.fds, 0); n <= 0 || err != nil {
		return nil
	}
	for i, fd := range p.fds {
		switch {
		case fd.Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0:
			gone = append(gone, p.conns[i])
		case fd.Revents&unix.POLLIN != 0:
			if n, err := unix.IoctlGetInt(int(fd.Fd), unix.SIOCINQ); err == nil && n > maxUnread {
				gone = append(gone, p.conns[i])
			}
		}
	}
	return gone
}
