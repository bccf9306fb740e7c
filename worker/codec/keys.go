package codec

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// None stands in place of the first key: nothing is encrypted.
const None = "none"

// keys encrypts with the key first, unless it is empty, and decrypts with all.
type keys struct {
	first string
	all   map[string]cipher.AEAD // by id
}

// parseKeys reads keys of the form id=key or key. A key is the base64 form of KeySize random bytes.
// The id of a key without one is the start of its SHA-256, in hex. Errors never contain a key.
func parseKeys(texts []string) (keys, error) {
	k := keys{all: map[string]cipher.AEAD{}}
	for i, text := range texts {
		if i == 0 && text == None {
			continue
		}
		id, key, err := parseKey(text)
		if err != nil {
			return keys{}, fmt.Errorf("key %d %w", i+1, err)
		}
		if k.all[id] != nil {
			return keys{}, fmt.Errorf("key %d has the id of an earlier key", i+1)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return keys{}, fmt.Errorf("key %d: %w", i+1, err)
		}
		if k.all[id], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return keys{}, fmt.Errorf("key %d: %w", i+1, err)
		}
		if i == 0 {
			k.first = id
		}
	}
	return k, nil
}

func parseKey(text string) (id string, key []byte, err error) {
	if key, ok := decodeKey(text); ok { // The base64 form may end with =.
		sum := sha256.Sum256(key)
		return hex.EncodeToString(sum[:4]), key, nil
	}
	id, encoded, _ := strings.Cut(text, "=")
	key, ok := decodeKey(encoded)
	switch {
	case !ok:
		return "", nil, fmt.Errorf("is not id=key with the base64 form of %d bytes; make one with `openssl rand -base64 32`",
			KeySize)
	case !regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`).MatchString(id):
		return "", nil, errors.New("has an id with other characters than letters, digits, '.', '_' and '-', or more than 64")
	}
	return id, key, nil
}

func decodeKey(text string) ([]byte, bool) {
	key, err := base64.StdEncoding.DecodeString(text)
	return key, err == nil && len(key) == KeySize
}
