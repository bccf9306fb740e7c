package client

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Digest is an object's SHA-256; empty if it is not known.
type Digest []byte

// UnmarshalText parses 64 hex digits, in upper or lower case.
func (d *Digest) UnmarshalText(text []byte) error {
	sum, err := hex.DecodeString(string(text))
	if err != nil || len(sum) != sha256.Size {
		return errors.New("must be 64 hex digits")
	}
	*d = sum
	return nil
}

// String returns the digest in lower-case hex.
func (d Digest) String() string { return hex.EncodeToString(d) }

// verifier is a body whose reading ends with an error if its digest is not want.
type verifier struct {
	io.ReadCloser
	hash hash.Hash
	want Digest
}

// verifying returns a body that is verified against want, or the body itself if want is empty.
func verifying(body io.ReadCloser, want Digest) io.ReadCloser {
	if len(want) == 0 {
		return body
	}
	return &verifier{ReadCloser: body, hash: sha256.New(), want: want}
}

// Read fails at the end of the body if the digest differs.
func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	v.hash.Write(p[:n])
	if errors.Is(err, io.EOF) {
		if got := Digest(v.hash.Sum(nil)); !bytes.Equal(got, v.want) {
			err = fmt.Errorf("the object's SHA-256 is %s, not %s", got, v.want)
		}
	}
	return n, err
}
