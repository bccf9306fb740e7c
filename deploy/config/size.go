package config

import (
	"encoding"
	"fmt"

	"github.com/docker/go-units"
)

// Size is a number of bytes, written as 32MiB or 32m. Units are powers of 1,024.
type Size int64

var (
	_ encoding.TextUnmarshaler = (*Size)(nil)
	_ encoding.TextMarshaler   = Size(0)
)

// UnmarshalText parses a size.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := units.RAMInBytes(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a size such as 32MiB", text)
	}
	*s = Size(n)
	return nil
}

// MarshalText writes a size with a unit.
func (s Size) MarshalText() ([]byte, error) {
	return []byte(units.CustomSize("%.4g%s", float64(s), 1024, []string{"B", "KiB", "MiB", "GiB", "TiB"})), nil
}
