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

// Verifier hashes the bytes written to it, with all algorithms at once, to compare them with
// digests. Write never fails. A Verifier is not safe for concurrent use.
type Verifier struct {
	want     []Digest
	computed []string             // Algorithms without a digest to compare with
	hashes   map[string]hash.Hash // by algorithm, for each known algorithm in want and computed
}

var _ io.Writer = (*Verifier)(nil)

// NewVerifier returns a Verifier of bytes that must match every given digest. Without digests it
// costs nothing and always passes. A digest of an algorithm that [Digest] does not list never
// matches: unverifiable bytes must not pass.
func NewVerifier(want ...Digest) *Verifier {
	v := &Verifier{want: slices.Clone(want)}
	v.hashes = v.newHashes()
	return v
}

// Compute makes the Verifier compute the digest of an algorithm that it need not compare. Call it
// before the first Write.
func (v *Verifier) Compute(algorithm string) {
	v.computed = append(v.computed, algorithm)
	v.hashes = v.newHashes()
}

// Sum returns the digest of the bytes written so far. It returns nil unless the Verifier compares or
// computes the algorithm.
func (v *Verifier) Sum(algorithm string) []byte {
	h, ok := v.hashes[algorithm]
	if !ok {
		return nil
	}
	return h.Sum(nil)
}

// Needed reports whether there is any digest to compare or to compute. Without one, writing is a
// waste.
func (v *Verifier) Needed() bool { return len(v.want)+len(v.computed) > 0 }

// Write hashes p. It always returns len(p) and no error.
func (v *Verifier) Write(p []byte) (int, error) {
	for _, h := range v.hashes {
		_, _ = h.Write(p) // never an error, according to hash.Hash
	}
	return len(p), nil
}

// Check compares the bytes written so far with every digest. It returns nil, or an *Error of
// ClassCorrupt that names the first digest that does not match, and that of the bytes. Writing may continue after it.
func (v *Verifier) Check() error {
	for _, d := range v.want {
		h, ok := v.hashes[d.Algorithm]
		if !ok || !bytes.Equal(h.Sum(nil), d.Value) {
			text := fmt.Sprintf("the bytes do not match their %s digest %x", d.Algorithm, d.Value)
			if ok {
				text += fmt.Sprintf(", but have %x", h.Sum(nil))
			}
			return &Error{Class: ClassCorrupt, Text: text}
		}
	}
	return nil
}

// State returns the state from which [Verifier.Restore] resumes after the bytes written so far, in
// this process or another. It is JSON of at most 1 KiB, or nil if no digest is needed. Up to 127 of
// the last bytes are in it as they are.
func (v *Verifier) State() ([]byte, error) {
	if len(v.hashes) == 0 {
		return nil, nil
	}
	states := make(map[string][]byte, len(v.hashes))
	for algorithm, h := range v.hashes {
		m, ok := h.(encoding.BinaryMarshaler)
		if !ok {
			return nil, fmt.Errorf("origin: the state of %s can't be saved", algorithm)
		}
		state, err := m.MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("origin: save the state of %s: %w", algorithm, err)
		}
		states[algorithm] = state
	}
	return json.Marshal(states)
}

// Restore resets the Verifier to a state that State returned; bytes written before are forgotten. A
// state of other algorithms than those of the digests is an error, and so is a state that does not
// decode. Such an error is not an *Error, since no source is to blame, and the Verifier is then
// unchanged.
func (v *Verifier) Restore(state []byte) error {
	var states map[string][]byte
	if len(state) > 0 {
		if err := json.Unmarshal(state, &states); err != nil {
			return fmt.Errorf("origin: restore the state of digests: %w", err)
		}
	}
	hashes := v.newHashes()
	if len(states) != len(hashes) {
		return errors.New("origin: restore the state of digests: algorithms differ")
	}
	for algorithm, h := range hashes {
		u, ok := h.(encoding.BinaryUnmarshaler)
		if !ok {
			return fmt.Errorf("origin: the state of %s can't be saved", algorithm)
		}
		if err := u.UnmarshalBinary(states[algorithm]); err != nil { // a missing state fails as well
			return fmt.Errorf("origin: restore the state of %s: %w", algorithm, err)
		}
	}
	v.hashes = hashes
	return nil
}

func (v *Verifier) newHashes() map[string]hash.Hash {
	hashes := map[string]hash.Hash{}
	add := func(algorithm string) {
		if h := newHash(algorithm); h != nil {
			hashes[algorithm] = h
		}
	}
	for _, d := range v.want {
		add(d.Algorithm)
	}
	for _, algorithm := range v.computed {
		add(algorithm)
	}
	return hashes
}

// newHash returns the hash of an algorithm by its name in a [Digest]; nil if it is unknown.
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
