package cache

import (
	"context"
	"time"
)

// Encode and Identity let tests write values as other processes do.
var (
	Encode   = encode
	Identity = identity
)

// MaxValue is the limit of a value, in bytes.
const MaxValue = maxValue

// SetNow sets the clock of r.
func (r *Redis) SetNow(now func() time.Time) { r.now = now }

// Read reads the bypasses once.
func (b *Bypasses) Read(ctx context.Context, r BypassStore) { b.read(ctx, r) }
