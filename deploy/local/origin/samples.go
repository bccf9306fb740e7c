package origin

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// sampleSize is the length of the sample object sample.bin, in bytes: enough for a multipart upload's first two parts
// of the least size that S3 allows.
const sampleSize = 5<<20 + 12_345

// Samples puts hello.txt and sample.bin, whose bytes are the same on every machine, into a folder, unless they are
// there: a second run must not change their ETags.
func Samples(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the origin's folder: %w", err)
	}
	sample := make([]byte, sampleSize)
	_, _ = rand.NewChaCha8([32]byte{}).Read(sample) // never fails
	for name, content := range map[string][]byte{
		"hello.txt":  []byte("Hello from the origin. If you read this through cloud-mirror, it is a copy.\n"),
		"sample.bin": sample,
	} {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err == nil {
			continue
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			return fmt.Errorf("write a sample: %w", err)
		}
	}
	return nil
}
