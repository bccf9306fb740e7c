package process

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// AllowFiles lets this process, and the processes that it starts, open so many files.
func AllowFiles(n uint64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Cur >= n && limit.Max >= n {
		// Go raises its own limit only. Setting the same limit again lets children inherit it.
		return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: max(n, limit.Cur), Max: max(n, limit.Max)}); err != nil {
		return fmt.Errorf("the limit of open files is %d, and %d are needed: raise it with ulimit -n: %w", limit.Max, n, err)
	}
	return nil
}

// Renice sets the nice value of all threads of a process. Threads that they start inherit it.
func Renice(pid, nice int) error {
	// A thread that starts meanwhile can have the former value. The second round finds it.
	for range 2 {
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return err
		}
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			if err != nil {
				return err
			}
			if err := syscall.Setpriority(syscall.PRIO_PROCESS, id, nice); err != nil && err != syscall.ESRCH {
				return err
			}
		}
	}
	return nil
}
