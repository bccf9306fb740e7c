//go:build unix && !linux

package supervise

import "syscall"

// sysProcAttr give a child a process group of its own. Only Linux can tie a child's life to its parent's.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
