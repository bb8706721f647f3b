package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// longestLine is more than a line ever has.
const longestLine = 4096

// File is a ledger in a file of this machine. It is safe for concurrent use, also by several processes.
type File struct{ Path string }

// Append adds lines and returns the new head once they are on the disk. What a crash left of a line is removed first.
func (f *File) Append(_ context.Context, entries []Entry) (head Head, err error) {
	_, err = os.Stat(f.Path)
	begins := errors.Is(err, os.ErrNotExist)
	file, err := os.OpenFile(f.Path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return Head{}, fmt.Errorf("ledger: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }() // which gives the lock back
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return Head{}, fmt.Errorf("ledger: %w", err)
	}
	head, end, err := last(file)
	if err != nil {
		return head, err
	}
	var lines bytes.Buffer
	if head, err = write(&lines, head, entries); err != nil {
		return head, err
	}
	if err := file.Truncate(end); err != nil {
		return head, fmt.Errorf("ledger: %w", err)
	}
	if _, err := file.WriteAt(lines.Bytes(), end); err != nil {
		return head, fmt.Errorf("ledger: %w", err)
	}
	if err := file.Sync(); err != nil {
		return head, fmt.Errorf("ledger: %w", err)
	}
	if begins {
		return head, syncFolder(filepath.Dir(f.Path))
	}
	return head, nil
}

// syncFolder makes a new file's name last.
func syncFolder(path string) error {
	folder, err := os.Open(path) //nolint:gosec // the operator names the folder
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// last returns the head and where its line ends, reading no more than that line.
func last(file *os.File) (head Head, end int64, err error) {
	info, err := file.Stat()
	if err != nil {
		return Head{}, 0, fmt.Errorf("ledger: %w", err)
	}
	from := max(0, info.Size()-2*longestLine)
	tail := make([]byte, info.Size()-from)
	if _, err := file.ReadAt(tail, from); err != nil && !errors.Is(err, io.EOF) {
		return Head{}, 0, fmt.Errorf("ledger: %w", err)
	}
	stop := bytes.LastIndexByte(tail, '\n')
	if stop < 0 && from == 0 {
		return Head{}, 0, nil
	}
	if stop < 0 {
		return Head{}, 0, fmt.Errorf("%w: it has no line at its end", ErrDamaged)
	}
	start := bytes.LastIndexByte(tail[:stop], '\n') + 1
	head, err = headOf(tail[start:stop])
	return head, from + int64(stop) + 1, err
}

// Head returns the end of the ledger; the zero one if nothing was ever erased.
func (f *File) Head(context.Context) (head Head, err error) {
	file, err := os.Open(f.Path)
	if errors.Is(err, os.ErrNotExist) {
		return Head{}, nil
	}
	if err != nil {
		return Head{}, fmt.Errorf("ledger: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	head, _, err = last(file)
	return head, err
}

// Read calls each for every entry from the first on. The error is ErrDamaged if the chain is broken.
func (f *File) Read(_ context.Context, each func(Entry) error) (head Head, err error) {
	file, err := os.Open(f.Path)
	if errors.Is(err, os.ErrNotExist) {
		return Head{}, nil
	}
	if err != nil {
		return Head{}, fmt.Errorf("ledger: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return Read(file, Head{}, each)
}
