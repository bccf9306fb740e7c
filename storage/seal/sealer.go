package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// KeySize is the length of a sealing key in bytes.
const KeySize = 32

// ErrSealed reports a query that none of the keys opens.
var ErrSealed = errors.New("the query was sealed with a key that this worker does not have")

// Sealer seals the queries of source URLs with AES-256-GCM, which also authenticates the rest of
// the object.
type Sealer struct {
	keys []cipher.AEAD
}

// New returns a Sealer that seals with the first key and opens with any of them, so that keys
// can be rotated. A key is the base64 form of [KeySize] random bytes. Errors never contain a key.
func New(keys []string) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("no key; make one with `openssl rand -base64 32`")
	}
	s := &Sealer{}
	for i, text := range keys {
		// Keep the key out of the error.
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(key) != KeySize {
			return nil, fmt.Errorf("key %d is not the base64 form of %d bytes; make one with `openssl rand -base64 32`",
				i+1, KeySize)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		s.keys = append(s.keys, aead)
	}
	return s, nil
}

// Seal returns the object with the part of its URL sealed that may not be shown.
func (s *Sealer) Seal(o storage.Object) Object {
	src := Object{Service: o.Service, Region: o.Region, URL: o.URL, Hash: o.Hash()}
	if i := len(o.Shown()); i < len(o.URL) {
		src.URL = o.URL[:i]
		sealed := s.keys[0].Seal(nil, nil, //nolint:gosec // The AEAD makes its own nonce
			[]byte(o.URL[i:]), src.authenticated())
		src.Query = base64.RawStdEncoding.EncodeToString(sealed)
	}
	return src
}

// Open returns the object that Seal was given. It fails with [ErrSealed], or if the sealed object
// was changed.
func (s *Sealer) Open(src Object) (storage.Object, error) {
	o := storage.Object{Service: src.Service, Region: src.Region, URL: src.URL}
	if src.Query != "" {
		query, err := s.open(src)
		if err != nil {
			return storage.Object{}, err
		}
		o.URL += query
	}
	if o.Hash() != src.Hash {
		return storage.Object{}, errors.New("the source's hash does not match its URL")
	}
	return o, nil
}

func (s *Sealer) open(src Object) (string, error) {
	sealed, err := base64.RawStdEncoding.DecodeString(src.Query)
	if err != nil {
		return "", ErrSealed
	}
	for _, key := range s.keys {
		if query, err := key.Open(nil, nil, sealed, src.authenticated()); err == nil {
			return string(query), nil
		}
	}
	return "", ErrSealed
}
