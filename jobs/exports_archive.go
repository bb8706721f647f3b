package jobs

import (
	"archive/zip"
	"crypto/sha256"
	"errors"
	"fmt"
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

// packed lists what gains nothing from being compressed once more.
func packed(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".png", ".webp":
		return true
	}
	return false
}

// add writes one entry.
func (a *archiveWriter) add(name string, write func(io.Writer) error) error {
	header := &zip.FileHeader{Name: name, Modified: a.modified, Method: zip.Deflate}
	if packed(name) {
		header.Method = zip.Store
	}
	header.SetMode(0o644)
	entry, err := a.zip.CreateHeader(header)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	digest := sha256.New()
	if err := write(io.MultiWriter(entry, digest)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	// sha256sum escapes what would break a line; names hold neither line breaks nor backslashes.
	fmt.Fprintf(&a.checksums, "%x  %s\n", digest.Sum(nil), name)
	return nil
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
