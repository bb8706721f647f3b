package receipt

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

var (
	// ErrForged means that the signature is not one of this key over this receipt.
	ErrForged = errors.New("the signature does not fit: the receipt was changed, or another key signed it")

	// ErrUnsigned means that a document has no signature yet.
	ErrUnsigned = errors.New("the receipt is not signed yet: it is as soon as the database's files were rewritten")

	// ErrKey means that a text is no key.
	ErrKey = errors.New("a key is 32 bytes in base64")
)

// Key signs receipts. It prints as its public half.
type Key struct{ private ed25519.PrivateKey }

// NewKey makes a key from 32 bytes of random.
func NewKey(random io.Reader) (Key, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return Key{}, fmt.Errorf("receipt: key: %w", err)
	}
	return Key{ed25519.NewKeyFromSeed(seed)}, nil
}

// ParseKey reads what Secret wrote: 32 bytes in base64, such as "openssl rand -base64 32" prints. The error is ErrKey.
func ParseKey(text string) (Key, error) {
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(seed) != ed25519.SeedSize {
		return Key{}, ErrKey
	}
	return Key{ed25519.NewKeyFromSeed(seed)}, nil
}

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return len(k.private) == 0 }

// Secret returns the key for safekeeping.
func (k Key) Secret() string { return base64.StdEncoding.EncodeToString(k.private.Seed()) }

// String returns the public half, so that no log shows the other.
func (k Key) String() string { return k.Public().String() }

// GoString does the same.
func (k Key) GoString() string { return k.String() }

// Public returns the half that is handed out.
func (k Key) Public() Public {
	if k.IsZero() {
		return nil
	}
	public, _ := k.private.Public().(ed25519.PublicKey)
	return Public(public)
}

// Sign signs a canonical form.
func (k Key) Sign(canonical []byte) []byte { return ed25519.Sign(k.private, canonical) }

// Public tells whether a receipt is of the installation that it belongs to.
type Public ed25519.PublicKey

// ParsePublic reads what String wrote. The error is ErrKey.
func ParsePublic(text string) (Public, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, ErrKey
	}
	return Public(raw), nil
}

// String returns the key's 32 bytes in base64.
func (p Public) String() string { return base64.StdEncoding.EncodeToString(p) }

// Verify reports whether signature is this key's over the canonical form.
func (p Public) Verify(canonical, signature []byte) bool {
	return len(p) == ed25519.PublicKeySize && ed25519.Verify(ed25519.PublicKey(p), canonical, signature)
}

// document is the file of a receipt.
type document struct {
	Receipt   json.RawMessage `json:"receipt"`
	PublicKey string          `json:"public_key"`
	Signature string          `json:"signature"`
}

// Document returns the file that is handed out: the receipt, the public key, and the signature in base64, as JSON with
// indentation. Without a signature its last two members are empty.
func Document(canonical, signature []byte, public Public) ([]byte, error) {
	d := document{Receipt: canonical}
	if len(signature) > 0 {
		d.PublicKey, d.Signature = public.String(), base64.StdEncoding.EncodeToString(signature)
	}
	raw, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return append(raw, '\n'), nil
}

// Verify reads a document and checks its signature: by trusted, or by the key that it names itself if that is nil, which
// says no more than that nobody changed it without signing it again. The error is ErrUnsigned or ErrForged, or says why
// this is no receipt.
func Verify(raw []byte, trusted Public) (*Receipt, Public, error) {
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, nil, fmt.Errorf("receipt: this is not the document of a receipt: %w", err)
	}
	var canonical bytes.Buffer
	if err := json.Compact(&canonical, d.Receipt); err != nil {
		return nil, nil, fmt.Errorf("receipt: %w", err)
	}
	r, err := Parse(canonical.Bytes())
	if err != nil {
		return nil, nil, err
	}
	if d.Signature == "" {
		return r, nil, ErrUnsigned
	}
	public := trusted
	if public == nil {
		if public, err = ParsePublic(d.PublicKey); err != nil {
			return r, nil, ErrForged
		}
	}
	signature, err := base64.StdEncoding.DecodeString(d.Signature)
	if err != nil || !public.Verify(canonical.Bytes(), signature) {
		return r, public, ErrForged
	}
	return r, public, nil
}
