package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	uploadsAtOnce  = 4
	announcedFiles = 500
	uploadAttempts = 6
)

// localFile is a file to upload: where it lies, and its name in the import.
type localFile struct {
	path, name string
	size       int64
}

// files lists what is to be uploaded: PATH, and what is in the folder of the pictures.
func (c *importCommand) files() ([]localFile, error) {
	info, err := os.Stat(c.Path)
	if err != nil {
		return nil, misuseError(fmt.Sprintf("%v: give a file, a folder or a zip", err))
	}
	files := []localFile{{c.Path, filepath.Base(c.Path), info.Size()}}
	if info.IsDir() {
		if files, err = filesBelow(c.Path); err != nil {
			return nil, err
		}
	}
	if c.Media != "" {
		media, err := filesBelow(c.Media)
		if err != nil {
			return nil, err
		}
		files = append(files, slices.DeleteFunc(media, localFile.labels)...)
	}
	if len(files) == 0 {
		return nil, misuseError("there are no files in " + c.Path)
	}
	names := map[string]bool{}
	for _, f := range files {
		if names[f.name] {
			return nil, misuseError(fmt.Sprintf("%s is both in %s and in %s: their names must differ", f.name, c.Path, c.Media))
		}
		names[f.name] = true
	}
	return files, nil
}

// labels reports whether a file looks like one of labels. Those come from PATH: what else lies beside the media is not meant.
func (f localFile) labels() bool {
	return slices.Contains([]string{
		".json", ".jsonl", ".xml", ".yaml", ".yml", ".txt", ".csv", ".ctm", ".stm", ".vtt", ".srt", ".textgrid",
	}, strings.ToLower(filepath.Ext(f.name)))
}

// filesBelow lists the files of a folder under their names relative to it; hidden ones are left out.
func filesBelow(root string) (files []localFile, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if hidden := strings.HasPrefix(entry.Name(), ".") && path != root; hidden && entry.IsDir() {
			return fs.SkipDir
		} else if hidden || entry.IsDir() {
			return nil
		}
		info, err := os.Stat(path) // a link counts as what it points to
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		name, err := filepath.Rel(root, path)
		files = append(files, localFile{path, filepath.ToSlash(name), info.Size()})
		return err
	})
	return files, err
}

// upload sends files to one import.
type upload struct {
	client *client
	path   string
	bar    *progressBar

	total int64
	sent  atomic.Int64
}

// arrived is how much of a file the server has.
type arrived struct {
	ID       int64 `json:"id"`
	Received int64 `json:"received"`
	Complete bool  `json:"complete"`
}

func (u *upload) send(ctx context.Context, files []localFile) error {
	for _, f := range files {
		u.total += f.size
	}
	for len(files) > 0 {
		some := files[:min(announcedFiles, len(files))]
		files = files[len(some):]
		if err := u.sendSome(ctx, some); err != nil {
			return err
		}
	}
	u.bar.end()
	return nil
}

// sendSome announces files and sends them.
func (u *upload) sendSome(ctx context.Context, files []localFile) error {
	type announced struct {
		Name string `json:"name"`
		Size int64  `json:"size"`
	}
	list := make([]announced, 0, len(files))
	for _, f := range files {
		list = append(list, announced{f.name, f.size})
	}
	var answer struct {
		Files    []arrived `json:"files"`
		PartSize int64     `json:"part_size"`
	}
	if err := u.client.post(ctx, u.path+"/files", map[string]any{"files": list}, &answer); err != nil {
		return err
	}
	if len(answer.Files) != len(files) || answer.PartSize <= 0 {
		return errors.New("the server's answer does not fit the files: are server and command of the same version?")
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(uploadsAtOnce)
	for i, f := range files {
		group.Go(func() error { return u.sendFile(ctx, f, answer.Files[i], answer.PartSize) })
	}
	return group.Wait()
}

func (u *upload) sendFile(ctx context.Context, f localFile, at arrived, partSize int64) error {
	content, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // it was only read
	buffer := make([]byte, min(partSize, max(f.size, 1)))
	for failures := 0; !at.Complete; {
		part := buffer[:min(int64(len(buffer)), f.size-at.Received)]
		if _, err := content.ReadAt(part, at.Received); err != nil {
			return fmt.Errorf("%s has changed while it was uploaded: %w", f.path, err)
		}
		next, err := u.sendPart(ctx, at, part)
		if err != nil && failures < uploadAttempts && transient(err) {
			failures++
			if err := pauseFor(ctx, time.Second<<failures/4); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		u.bar.show("Uploading", u.sent.Add(next.Received-at.Received), u.total, "bytes")
		at, failures = next, 0
	}
	return nil
}

func (u *upload) sendPart(ctx context.Context, at arrived, part []byte) (next arrived, err error) {
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	path := fmt.Sprintf("%s/files/%d?offset=%d", u.path, at.ID, at.Received)
	err = u.client.send(ctx, http.MethodPut, path, header, bytes.NewReader(part), decodeInto(&next))
	return next, err
}

// transient tells a lost connection, or a server that is starting again, from an answer that stays the same.
func transient(err error) bool {
	if problem, ok := errors.AsType[*problemError](err); ok {
		return problem.Status >= http.StatusInternalServerError
	}
	_, lost := errors.AsType[*url.Error](err)
	return lost || errors.Is(err, errNoServer)
}

func pauseFor(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// progressBar shows how far something is: a bar on a terminal, elsewhere a line every few seconds.
type progressBar struct {
	out      io.Writer
	terminal bool
	shown    atomic.Int64 // when, in Unix nanoseconds
	drawn    atomic.Bool
}

func newProgressBar(out io.Writer) *progressBar {
	bar := &progressBar{out: out}
	if file, ok := out.(*os.File); ok {
		info, err := file.Stat()
		bar.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return bar
}

// show tells that done of total units are done, unless it told so a moment ago.
func (b *progressBar) show(what string, done, total int64, unit string) {
	pause := 5 * time.Second
	if b.terminal {
		pause = 100 * time.Millisecond
	}
	now, last := time.Now().UnixNano(), b.shown.Load()
	if now-last < int64(pause) && (done < total || total == 0) || !b.shown.CompareAndSwap(last, now) {
		return
	}
	if !b.terminal {
		if last != 0 {
			fmt.Fprintf(b.out, "%s: %s\n", what, amount(done, total, unit))
		}
		return
	}
	const width = 30
	full := width
	if total > 0 {
		full = int(width * min(done, total) / total)
	}
	fmt.Fprintf(b.out, "\r\x1b[K%-9s [%s%s] %s", what, strings.Repeat("=", full), strings.Repeat(" ", width-full), amount(done, total, unit))
	b.drawn.Store(true)
}

func amount(done, total int64, unit string) string {
	if unit == "bytes" {
		return fmt.Sprintf("%.1f of %.1f MB", float64(done)/1e6, float64(total)/1e6)
	}
	return fmt.Sprintf("%d of %d %s", done, total, unit)
}

// end leaves the bar's line.
func (b *progressBar) end() {
	if b.drawn.Swap(false) {
		fmt.Fprintln(b.out)
	}
}
