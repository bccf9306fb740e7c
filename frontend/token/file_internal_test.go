package token

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// logged is a log that tests read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) lines() (lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.text.String(), "\n"), "\n")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "short"), "a purge tooshort\n")
	write(t, filepath.Join(dir, "huge"), strings.Repeat("# comment\n", maxFile/10+1))
	for name, text := range map[string]string{
		"missing": "no such file or directory",
		"short":   "short: line 1: the token has fewer than 32 random characters",
		"huge":    "huge: more than 131072 bytes",
		".":       "not a file",
	} {
		_, err := Open(FileOptions{Path: filepath.Join(dir, name)})
		require.ErrorContains(t, err, text)
		assert.NotContains(t, err.Error(), "tooshort")
	}
}

func TestFileIsReloaded(t *testing.T) {
	path, log := filepath.Join(t.TempDir(), "tokens"), &logged{}
	write(t, path, "a purge "+tokenA+"\n")
	f, err := Open(FileOptions{Path: path, Log: zerolog.New(log)})
	require.NoError(t, err)
	has := func(a, b bool, broken float64) {
		t.Helper()
		assert.Equal(t, a, f.find(tokenA) != nil, "the old token")
		assert.Equal(t, b, f.find(tokenB) != nil, "the new token")
		assert.InDelta(t, broken, testutil.ToFloat64(f.broken), 0)
	}
	has(true, false, 0)
	f.reload()
	has(true, false, 0)
	assert.Equal(t, []string{""}, log.lines(), "no change")

	write(t, path, "a purge "+tokenA+"\nb purge "+tokenB+"\n")
	f.reload()
	has(true, true, 0)

	for range 3 { // A broken file is reported once.
		write(t, path, "b purge "+tokenB[:20]+"\n")
		f.reload()
		has(true, true, 1)
	}
	require.NoError(t, os.Remove(path))
	f.reload()
	has(true, true, 1)

	write(t, path, "a purge "+tokenA+"\nb purge "+tokenB+"\n") // The last good list.
	f.reload()
	has(true, true, 0)

	write(t, path, "b purge "+tokenB+"\n")
	f.reload()
	has(false, true, 0)
	lines := log.lines()
	require.Len(t, lines, 5)
	assert.Contains(t, lines[0], `"tokens":2,"message":"tokens reloaded"`)
	assert.Contains(t, lines[1], `line 1: the token has fewer than 32 random characters","message":"tokens not reloaded; the last good list stays in force"`)
	assert.Contains(t, lines[2], "no such file")
	assert.Contains(t, lines[3], `"tokens":2,"message":"tokens reloaded"`)
	assert.Contains(t, lines[4], `"tokens":1,"message":"tokens reloaded"`)
	assert.NotContains(t, strings.Join(lines, ""), tokenB[:20])
}

// TestKubernetesSecretIsSwapped changes a file as the kubelet does: the file and its folder are
// symbolic links, and the inner link is replaced. Size and time of the file stay the same.
func TestKubernetesSecretIsSwapped(t *testing.T) {
	dir := t.TempDir()
	at := time.Now().Add(-time.Hour)
	for version, tok := range map[string]string{"v1": tokenB, "v2": strings.ToUpper(tokenB)} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, version), 0o700))
		file := filepath.Join(dir, version, "tokens")
		write(t, file, "a purge "+tok+"\n")
		require.NoError(t, os.Chtimes(file, at, at))
	}
	swap := func(version string) {
		require.NoError(t, os.Symlink(version, filepath.Join(dir, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	swap("v1")
	path := filepath.Join(dir, "tokens")
	require.NoError(t, os.Symlink(filepath.Join("..data", "tokens"), path))
	registry := prometheus.NewRegistry()
	f, err := Open(FileOptions{Path: path, PollEvery: 5 * time.Millisecond, Registry: registry})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go f.Run(ctx)
	require.NotNil(t, f.find(tokenB))
	swap("v2")
	require.Eventually(t, func() bool { return f.find(strings.ToUpper(tokenB)) != nil }, 10*time.Second, time.Millisecond)
	assert.Nil(t, f.find(tokenB))
}
