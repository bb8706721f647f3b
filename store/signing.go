package store

import "fiducial/internal/receipt"

// SignWith gives the store the installation's key. It is called before the store is used, if at all: without a key,
// receipts are written but stay unsigned until a process that has it comes by.
func (s *Store) SignWith(key receipt.Key) { s.signer = key }

// PublicKey returns the half of the installation's key that is handed out with receipts, nil without a key.
func (s *Store) PublicKey() receipt.Public { return s.signer.Public() }

// OwnsObjects tells the store that the object store is our own, which unlinks the files of what is deleted at once. It is
// called before the store is used.
func (s *Store) OwnsObjects() { s.objects = receipt.ObjectsDeleted }
