// Package archive opens zip files that strangers made.
//
// Nothing in them is believed: names are checked one by one, and sizes are counted while reading. A bad entry is refused
// with its reason, and the rest goes on.
package archive

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"fiducial/internal/formats"
)

// Limits bound what a zip may hold.
type Limits struct {
	// Entries is the number of entries, folders and refused ones counted also.
	Entries int
	// Depth is how many folders may lie in one another.
	Depth int
	// File and Total are bytes after unpacking, of one file and of all.
	File, Total int64
	// Ratio is how many times its packed size a file may unpack to, once it is larger than 16 MB.
	Ratio int64
}

// DefaultLimits are wide enough for a data set of 100,000 photographs.
func DefaultLimits() Limits {
	return Limits{Entries: 200_000, Depth: 32, File: 4 << 30, Total: 256 << 30, Ratio: 200}
}

// The limits that reading an entry can run into.
var (
	ErrFileTooLarge  = errors.New("the file unpacks to more than is allowed for one file")
	ErrTotalTooLarge = errors.New("the archive unpacks to more than is allowed in all")
	ErrBomb          = errors.New("the file unpacks to far more than its packed size: it looks like a zip bomb")
)

const (
	// directoryBytes is how much of the directory is read for each allowed entry: its fixed part and a long name.
	directoryBytes = 256
	// ratioFloor is the unpacked size up to which no ratio is suspicious, in bytes.
	ratioFloor = 16 << 20
)

// Zip is an opened archive. Its methods may be called from several goroutines.
type Zip struct {
	files   []File
	refused formats.Report
	limits  Limits
	total   atomic.Int64 // bytes unpacked so far
}

// File is one regular file of a Zip.
type File struct {
	// Name is a clean relative path as formats.CleanKey makes it, unique in the archive.
	Name  string
	entry *zip.File
	zip   *Zip
	read  *atomic.Int64 // bytes of this file that are counted in zip.total
}

// Open reads the directory of the zip file in r. It fails when r is no zip, or has more entries than limits allow. Entries
// that cannot be taken are refused one by one: absolute or climbing names, links and devices, encrypted files, archives
// in the archive, names given twice. What operating systems leave behind (__MACOSX, .DS_Store, Thumbs.db) is ignored.
func Open(r io.ReaderAt, size int64, limits Limits) (*Zip, error) {
	budget := &budgetReader{r: r}
	budget.left.Store(int64(limits.Entries)*directoryBytes + 128<<10)
	directory, err := zip.NewReader(budget, size)
	if budget.left.Load() < 0 || directory != nil && len(directory.File) > limits.Entries {
		return nil, fmt.Errorf("the archive has more than %d entries", limits.Entries)
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil, fmt.Errorf("not a zip archive: %w", err)
	}
	budget.off.Store(true)
	z := &Zip{limits: limits}
	taken := map[string]bool{}
	for _, entry := range directory.File {
		name := decodeName(entry.Name)
		if strings.HasSuffix(name, "/") || entry.Mode().IsDir() || isLeftover(name) {
			continue
		}
		key, err := z.check(entry, name)
		if err == nil && taken[key] {
			err = errors.New("the archive has two files of this name")
		}
		if err != nil {
			z.refused.Add(formats.Refused, strings.ToValidUTF8(name, "\uFFFD"), err.Error())
			continue
		}
		taken[key] = true
		z.files = append(z.files, File{Name: key, entry: entry, zip: z, read: new(atomic.Int64)})
	}
	return z, nil
}

// Files returns the files that may be opened, in the order of the archive.
func (z *Zip) Files() []File { return z.files }

// Refused lists the entries that Files does not hold, with the reason for each.
func (z *Zip) Refused() formats.Report { return z.refused }

// Size returns the unpacked size that the archive states, in bytes; it can be a lie.
func (f File) Size() uint64 { return f.entry.UncompressedSize64 }

// Open returns the file's content. Reading fails with ErrFileTooLarge, ErrTotalTooLarge or ErrBomb when it turns out
// larger than allowed, and with zip.ErrChecksum or a similar error when it is damaged.
func (f File) Open() (io.ReadCloser, error) {
	content, err := f.entry.Open()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.Name, err)
	}
	return &limitedFile{file: f, content: content}, nil
}

// decodeName is an entry's name in UTF-8: old tools write code page 437 and flag neither.
func decodeName(raw string) string {
	if utf8.ValidString(raw) {
		return raw
	}
	name, err := charmap.CodePage437.NewDecoder().String(raw)
	if err != nil {
		return raw
	}
	return name
}

// isLeftover recognises what operating systems put into archives beside their content.
func isLeftover(name string) bool {
	name = strings.ReplaceAll(name, `\`, "/")
	base := path.Base(name)
	return strings.HasPrefix(name, "__MACOSX/") || strings.Contains(name, "/__MACOSX/") || strings.HasPrefix(base, "._") ||
		base == ".DS_Store" || strings.EqualFold(base, "Thumbs.db") || strings.EqualFold(base, "desktop.ini")
}

// check returns the clean name of an entry, or why it cannot be taken.
func (z *Zip) check(entry *zip.File, name string) (string, error) {
	const encrypted = 1
	key, err := formats.CleanKey(name)
	switch mode := entry.Mode(); {
	case err != nil:
		return "", err
	case mode&fs.ModeSymlink != 0:
		return "", errors.New("a symbolic link")
	case !mode.IsRegular():
		return "", errors.New("not a regular file")
	case strings.Count(key, "/") > z.limits.Depth:
		return "", fmt.Errorf("more than %d folders deep", z.limits.Depth)
	case entry.Flags&encrypted != 0:
		return "", errors.New("encrypted: pack the archive without a password")
	case entry.Method != zip.Store && entry.Method != zip.Deflate:
		return "", fmt.Errorf("packed by method %d: only stored and deflated files can be read", entry.Method)
	}
	switch strings.ToLower(path.Ext(key)) {
	case ".zip", ".tar", ".tgz", ".gz", ".7z", ".rar", ".bz2", ".xz":
		return "", errors.New("an archive in the archive: unpack it first")
	}
	return key, nil
}

// limitedFile counts what is really unpacked.
type limitedFile struct {
	file    File
	content io.ReadCloser
	n       int64
}

// Read implements io.Reader.
func (l *limitedFile) Read(p []byte) (int, error) {
	n, err := l.content.Read(p)
	l.n += int64(n)
	if limit := l.exceeded(); limit != nil {
		return 0, fmt.Errorf("%s: %w", l.file.Name, limit)
	}
	return n, err
}

// Close implements io.Closer.
func (l *limitedFile) Close() error { return l.content.Close() }

// exceeded returns the limit that the file has run into. A file that is read twice counts once.
func (l *limitedFile) exceeded() error {
	z := l.file.zip
	total := z.total.Load()
	for counted := l.file.read.Load(); l.n > counted; counted = l.file.read.Load() {
		if l.file.read.CompareAndSwap(counted, l.n) {
			total = z.total.Add(l.n - counted)
		}
	}
	switch packed := int64(min(l.file.entry.CompressedSize64, 1<<40)); {
	case l.n > z.limits.File:
		return ErrFileTooLarge
	case total > z.limits.Total:
		return ErrTotalTooLarge
	case l.n > ratioFloor && l.n/z.limits.Ratio > packed:
		return ErrBomb
	}
	return nil
}

// budgetReader bounds how much of the archive is read as its directory, whatever the archive says about it.
type budgetReader struct {
	r    io.ReaderAt
	left atomic.Int64
	off  atomic.Bool
}

// ReadAt implements io.ReaderAt.
func (b *budgetReader) ReadAt(p []byte, at int64) (int, error) {
	if !b.off.Load() && b.left.Add(-int64(len(p))) < 0 {
		return 0, errors.New("the archive's directory is too large")
	}
	return b.r.ReadAt(p, at)
}
