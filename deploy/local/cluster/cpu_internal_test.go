package cluster

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseStat(t *testing.T) {
	const line = "42 (post gres: (x) y) S 7 42 42 0 -1 4194560 1 2 3 4 11 12 13 14 20 0 1 0 100 1000 10"
	parent, used, err := parseStat(line)
	require.NoError(t, err)
	require.Equal(t, 7, parent)
	require.Equal(t, (11+12+13+14)*clockTick, used)
	for _, wrong := range []string{"", "42 (x) S 7", "42 (x) S a 42 42 0 -1 4194560 1 2 3 4 11 12 13 14 20", "42 (x) S 7 42 42 0 -1 4194560 1 2 3 4 11 b 13 14 20"} {
		_, _, err := parseStat(wrong)
		require.Error(t, err, wrong)
	}
}

// TestCPUCountsDescendants lets a shell run a child that works, and compares with a shell that does
// not.
func TestCPUCountsDescendants(t *testing.T) {
	start := func(script string) int {
		cmd := exec.Command("sh", "-c", script)
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() {
			_ = stdin.Close()
			_ = cmd.Wait()
		})
		return cmd.Process.Pid
	}
	busy := start("(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; read x); read y")
	idle := start("read x")
	require.Eventually(t, func() bool {
		used, err := CPU(busy)
		require.NoError(t, err)
		return used > 50*time.Millisecond
	}, 30*time.Second, 20*time.Millisecond)
	used, err := CPU(idle)
	require.NoError(t, err)
	require.Less(t, used, 50*time.Millisecond)
	own, err := CPU(os.Getpid())
	require.NoError(t, err)
	require.Greater(t, own, 50*time.Millisecond, "this process counts its children")
	_, err = CPU(1 << 30)
	require.Error(t, err)
}

func TestNewestPostgreSQL(t *testing.T) {
	require.Equal(t, 15, version("/usr/lib/postgresql/15/bin/initdb"))
	require.Equal(t, 0, version("/usr/bin/initdb"))
}
