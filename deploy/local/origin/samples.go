package origin

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// sampleSize is the size of sample.bin in bytes. It is enough for a multipart upload of two parts,
// because the minimum size of a part in S3 is 5 MiB.
const sampleSize = 5<<20 + 12_345

// Samples creates hello.txt, sample.bin and files/hello.txt in a folder, with the same bytes on
// every machine. It leaves existing files alone, because a second run must not change their ETags.
func Samples(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "files"), 0o755); err != nil {
		return fmt.Errorf("create the origin's folder: %w", err)
	}
	sample := make([]byte, sampleSize)
	_, _ = rand.NewChaCha8([32]byte{}).Read(sample) // Never fails
	for name, content := range map[string][]byte{
		"hello.txt":       []byte("Hello from the origin. If you read this through cloud-mirror, it is a copy.\n"),
		"sample.bin":      sample,
		"files/hello.txt": []byte("Hello from the origin. Files in this folder never change, so this is a copy.\n"),
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if _, err := os.Stat(file); err == nil {
			continue
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return fmt.Errorf("write a sample: %w", err)
		}
	}
	return nil
}
