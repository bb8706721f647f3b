package jobs

import (
	"archive/zip"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"strings"
	"time"
)

// archiveWriter streams a zip file and keeps a checksum of each entry for the last one, checksums.txt.
type archiveWriter struct {
	zip       *zip.Writer
	modified  time.Time
	checksums strings.Builder
}

// newArchiveWriter dates every entry at modified, so that the same content gives the same bytes.
func newArchiveWriter(w io.Writer, modified time.Time) *archiveWriter {
	return &archiveWriter{zip: zip.NewWriter(w), modified: modified.UTC().Truncate(time.Second)}
}

// packed lists what gains nothing, or as sound does little, from being compressed.
func packed(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".png", ".webp", ".parquet", ".wav":
		return true
	}
	return false
}

// add writes one entry.
func (a *archiveWriter) add(name string, write func(io.Writer) error) error {
	entry, err := a.create(name)
	if err != nil {
		return err
	}
	if err := write(entry); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	a.end(entry)
	return nil
}

// archiveEntry is an entry on its way.
type archiveEntry struct {
	io.Writer

	name   string
	digest hash.Hash
}

// create begins an entry; only one is open at a time, until end.
func (a *archiveWriter) create(name string) (*archiveEntry, error) {
	header := &zip.FileHeader{Name: name, Modified: a.modified, Method: zip.Deflate}
	if packed(name) {
		header.Method = zip.Store
	}
	header.SetMode(0o644)
	entry, err := a.zip.CreateHeader(header)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	digest := sha256.New()
	return &archiveEntry{io.MultiWriter(entry, digest), name, digest}, nil
}

func (a *archiveWriter) end(entry *archiveEntry) {
	// sha256sum escapes what would break a line; names hold neither line breaks nor backslashes.
	fmt.Fprintf(&a.checksums, "%x  %s\n", entry.digest.Sum(nil), entry.name)
}

// close writes the checksums, which sha256sum -c reads, and the directory.
func (a *archiveWriter) close() error {
	list := a.checksums.String()
	err := a.add("checksums.txt", func(w io.Writer) error {
		_, err := io.WriteString(w, list)
		return err
	})
	return errors.Join(err, a.zip.Close())
}
