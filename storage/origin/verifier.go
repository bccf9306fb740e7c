package origin

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // the source chose it; it finds damage, not forgery
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"crypto/sha512"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
)

// Verifier hashes the bytes written to it, all algorithms at once, to compare them with digests. Write never fails. It is not safe for concurrent use.
type Verifier struct {
	want   []Digest
	hashes map[string]hash.Hash // by algorithm, one for each that want names
}

var _ io.Writer = (*Verifier)(nil)

// NewVerifier returns a Verifier of bytes that must match every digest given. One without digests costs nothing and
// always passes. A digest of an algorithm that [Digest] does not list never matches: what can't be verified must not pass.
func NewVerifier(want ...Digest) *Verifier {
	if len(want) == 0 {
		return &Verifier{}
	}
	return &Verifier{want: slices.Clone(want), hashes: newHashes(want)}
}

// Needed tells whether there is any digest to compare with; without one, writing is a waste.
func (v *Verifier) Needed() bool { return len(v.want) > 0 }

// Write hashes p. It always returns len(p) and no error.
func (v *Verifier) Write(p []byte) (int, error) {
	for _, h := range v.hashes {
		_, _ = h.Write(p) // never an error, says hash.Hash
	}
	return len(p), nil
}

// Check compares what was written until now with every digest: nil, or an *Error of ClassCorrupt that names the first
// algorithm at odds. Writing may go on after it.
func (v *Verifier) Check() error {
	for _, d := range v.want {
		h, ok := v.hashes[d.Algorithm]
		if !ok || !bytes.Equal(h.Sum(nil), d.Value) {
			return &Error{Class: ClassCorrupt, Text: fmt.Sprintf("the bytes do not match their %s digest", d.Algorithm)}
		}
	}
	return nil
}

// State returns what [Verifier.Restore] needs to go on after the bytes written until now, in this process or another: at
// most 1 KiB, JSON, nil if no digest is needed. Up to 127 of the last bytes are in it as they are.
func (v *Verifier) State() ([]byte, error) {
	if len(v.hashes) == 0 {
		return nil, nil
	}
	states := make(map[string][]byte, len(v.hashes))
	for algorithm, h := range v.hashes {
		m, ok := h.(encoding.BinaryMarshaler)
		if !ok {
			return nil, fmt.Errorf("origin: %s has no state that can be kept", algorithm)
		}
		state, err := m.MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("origin: keep the state of %s: %w", algorithm, err)
		}
		states[algorithm] = state
	}
	return json.Marshal(states)
}

// Restore makes the Verifier go on where State was called, whatever has been written to it before. A state of other
// algorithms than those of the digests, or one that does not decode, is an error (not an *Error: no source is to blame),
// and then the Verifier is as it was.
func (v *Verifier) Restore(state []byte) error {
	var states map[string][]byte
	if len(state) > 0 {
		if err := json.Unmarshal(state, &states); err != nil {
			return fmt.Errorf("origin: restore the state of digests: %w", err)
		}
	}
	hashes := newHashes(v.want)
	if len(states) != len(hashes) {
		return errors.New("origin: restore the state of digests: it is of other algorithms")
	}
	for algorithm, h := range hashes {
		u, ok := h.(encoding.BinaryUnmarshaler)
		if !ok {
			return fmt.Errorf("origin: %s has no state that can be kept", algorithm)
		}
		if err := u.UnmarshalBinary(states[algorithm]); err != nil { // so does a state that is not there
			return fmt.Errorf("origin: restore the state of %s: %w", algorithm, err)
		}
	}
	v.hashes = hashes
	return nil
}

func newHashes(want []Digest) map[string]hash.Hash {
	hashes := make(map[string]hash.Hash, len(want))
	for _, d := range want {
		if h := newHash(d.Algorithm); h != nil {
			hashes[d.Algorithm] = h
		}
	}
	return hashes
}

// newHash returns the hash of an algorithm by its name in a [Digest]; nil if there is none.
func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "sha-512":
		return sha512.New()
	case "sha-256":
		return sha256.New()
	case "sha":
		return sha1.New() //nolint:gosec // the source chose it; it finds damage, not forgery
	case "md5":
		return md5.New() //nolint:gosec // as above
	}
	return nil
}
