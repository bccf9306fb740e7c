package codec

import (
	"errors"
	"fmt"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// Metadata of an encrypted payload, as in Temporal's samples.
const (
	encoding      = "binary/encrypted"
	keyIDMetadata = "encryption-key-id"
)

// ErrKey reports a payload that none of the keys decrypts.
var ErrKey = errors.New("a payload was encrypted with a key that this process does not have")

var _ converter.PayloadCodec = (*Codec)(nil)

// Codec encrypts and decrypts payloads. It is safe for concurrent use.
type Codec struct {
	keys keys
	// missing receives the error of each payload that can't be decrypted.
	missing func(error)
}

// New returns a codec that encrypts with the first key, unless it is [None], and decrypts with any
// of them, so that keys can be rotated. Without keys it encrypts nothing. A key has the form id=key
// or key; a key is the base64 form of [KeySize] random bytes. Errors never contain a key.
//
// missing receives the error of each payload that can't be decrypted: it is an [ErrKey] with the
// key's id. It must be safe for concurrent use.
func New(keys []string, missing func(error)) (*Codec, error) {
	parsed, err := parseKeys(keys)
	if err != nil {
		return nil, err
	}
	return &Codec{keys: parsed, missing: missing}, nil
}

// Encrypts reports whether the codec encrypts.
func (c *Codec) Encrypts() bool { return c.keys.first != "" }

// Encode encrypts each payload, metadata included.
func (c *Codec) Encode(payloads []*common.Payload) ([]*common.Payload, error) {
	if !c.Encrypts() {
		return payloads, nil
	}
	encoded := make([]*common.Payload, len(payloads))
	for i, p := range payloads {
		plain, err := proto.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("encrypt a payload: %w", err)
		}
		id := c.keys.first
		encoded[i] = &common.Payload{
			Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encoding), keyIDMetadata: []byte(id)},
			Data:     c.keys.all[id].Seal(nil, nil, plain, []byte(id)), //nolint:gosec // The AEAD makes its own nonce
		}
	}
	return encoded, nil
}

// Decode decrypts the payloads that are encrypted, and returns others as they are. It fails with
// [ErrKey], or if a payload was changed.
func (c *Codec) Decode(payloads []*common.Payload) ([]*common.Payload, error) {
	decoded := make([]*common.Payload, len(payloads))
	for i, p := range payloads {
		if !encrypted(p) {
			decoded[i] = p
			continue
		}
		plain, err := c.open(p)
		if err != nil {
			c.missing(err)
			return nil, err
		}
		decoded[i] = plain
	}
	return decoded, nil
}

func encrypted(p *common.Payload) bool {
	return string(p.GetMetadata()[converter.MetadataEncoding]) == encoding
}

func (c *Codec) open(p *common.Payload) (*common.Payload, error) {
	id := p.GetMetadata()[keyIDMetadata]
	key := c.keys.all[string(id)]
	if key == nil {
		return nil, fmt.Errorf("%w: %.64q", ErrKey, id)
	}
	plain, err := key.Open(nil, nil, p.GetData(), id)
	if err != nil {
		return nil, fmt.Errorf("%w: %.64q opens others, so this payload was changed or its key had the same id", ErrKey, id)
	}
	opened := &common.Payload{}
	if err := proto.Unmarshal(plain, opened); err != nil {
		return nil, fmt.Errorf("%w: %.64q reveals no payload", ErrKey, id)
	}
	return opened, nil
}
