// Package sealed keeps secrets that the product must have back, such as those that sign what it sends: encrypted under a key that
// is derived from the installation's own, and never stored beside what it opens.
package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// ErrSealed means that this key does not open what was sealed: another one sealed it, or it was changed.
var ErrSealed = errors.New("sealed: not sealed by this key")

// Key seals, opens and marks. The zero value does none of it.
type Key struct {
	aead cipher.AEAD
	mark []byte
}

// Derive makes a key of the installation's secret. Other keys that are made of the same secret tell nothing of this one.
func Derive(secret string) (Key, error) {
	seal, err := hkdf.Key(sha256.New, []byte(secret), nil, "fiducial seal 1", 32)
	if err != nil {
		return Key{}, fmt.Errorf("sealed: %w", err)
	}
	mark, err := hkdf.Key(sha256.New, []byte(secret), nil, "fiducial mark 1", 32)
	if err != nil {
		return Key{}, fmt.Errorf("sealed: %w", err)
	}
	block, err := aes.NewCipher(seal)
	if err != nil {
		return Key{}, fmt.Errorf("sealed: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return Key{}, fmt.Errorf("sealed: %w", err)
	}
	return Key{aead, mark}, nil
}

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.aead == nil }

// Seal encrypts a secret with AES-256-GCM for one place, such as a row: it opens for no other.
func (k Key) Seal(secret []byte, place string) []byte {
	return k.aead.Seal(nil, nil, secret, []byte(place)) //nolint:gosec // the nonce is random: this AEAD makes its own
}

// Open returns what Seal was given for the same place, or ErrSealed.
func (k Key) Open(sealed []byte, place string) ([]byte, error) {
	if k.IsZero() {
		return nil, ErrSealed
	}
	secret, err := k.aead.Open(nil, nil, sealed, []byte(place))
	if err != nil {
		return nil, ErrSealed
	}
	return secret, nil
}

// Mark is what makes a link ours: HMAC-SHA-256 of what it is for, in hexadecimal.
func (k Key) Mark(what string) string {
	mac := hmac.New(sha256.New, k.mark)
	mac.Write([]byte(what))
	return hex.EncodeToString(mac.Sum(nil))
}

// Marked reports whether mark is that of what.
func (k Key) Marked(what, mark string) bool {
	return !k.IsZero() && hmac.Equal([]byte(k.Mark(what)), []byte(mark))
}
