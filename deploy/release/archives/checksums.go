package archives

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ChecksumsFile is the name of the file of checksums.
const ChecksumsFile = "SHA256SUMS"

// Checksums writes the checksums of a folder's files into it.
func Checksums(dir string) error {
	files, err := os.ReadDir(dir) // In the order of their names
	if err != nil {
		return fmt.Errorf("checksums: %w", err)
	}
	var sums strings.Builder
	for _, f := range files {
		if f.Name() == ChecksumsFile {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return fmt.Errorf("checksums: %w", err)
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(body), f.Name())
	}
	if err := os.WriteFile(filepath.Join(dir, ChecksumsFile), []byte(sums.String()), 0o644); err != nil {
		return fmt.Errorf("checksums: %w", err)
	}
	return nil
}
