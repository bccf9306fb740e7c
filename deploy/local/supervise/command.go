package supervise

import (
	"context"
	"os"
	"os/exec"
	"syscall"
)

// newCommand returns the command of a Spec, and its open log. Its context never ends: callers kill
// the whole process group, which the context of an [exec.Cmd] would not.
func newCommand(spec Spec) (*exec.Cmd, *os.File, error) {
	log, err := os.OpenFile(spec.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(context.Background(), spec.Path, spec.Args...)
	cmd.Env, cmd.Dir = spec.Env, spec.Dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = sysProcAttr()
	if u := spec.User; u != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: u.UID, Gid: u.GID}
	}
	return cmd, log, nil
}
