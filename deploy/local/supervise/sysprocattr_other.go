//go:build unix && !linux

package supervise

import "syscall"

// sysProcAttr gives a child its own process group. Only Linux kills a child when its parent dies.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
