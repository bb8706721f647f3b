package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"fiducial/internal/archive"
	"fiducial/store"
)

// importFolder is everything that was uploaded for an import as one folder, zip archives unpacked.
type importFolder struct {
	files  []importEntry
	losses []store.ImportResult // what could not be taken, with its reason
	spools []*os.File           // the archives
}

// importEntry is one file of the folder.
type importEntry struct {
	name string
	// packed marks a file of an archive, whose errors are the file's own fault.
	packed bool
	open   func(context.Context) (io.ReadCloser, error)
}

// open lists what was uploaded, by name.
func (f *importFolder) open(ctx context.Context, run *store.ImportRun) error {
	uploads, err := run.Files(ctx)
	if err != nil {
		return err
	}
	for _, upload := range uploads {
		if strings.EqualFold(path.Ext(upload.Name), ".zip") {
			if err := f.unpack(ctx, run, upload); err != nil {
				return err
			}
			continue
		}
		f.files = append(f.files, importEntry{name: upload.Name, open: func(ctx context.Context) (io.ReadCloser, error) { return run.Open(ctx, upload), nil }})
	}
	f.sort()
	return nil
}

// sort puts the files in the order of their names and refuses what is there twice.
func (f *importFolder) sort() {
	slices.SortStableFunc(f.files, func(a, b importEntry) int { return strings.Compare(a.name, b.name) })
	archives := f.archives()
	kept := f.files[:0]
	for _, file := range f.files {
		switch {
		case isLeftover(file.name), archives[path.Dir(file.name)] && (slices.Contains(archiveNotes, path.Base(file.name)) || path.Base(file.name) == archiveInterface):
		case len(kept) > 0 && kept[len(kept)-1].name == file.name:
			f.refuse(file.name, "Another file of this import has the same name.")
		default:
			kept = append(kept, file)
		}
	}
	f.files = kept
}

// archiveNotes are the files of an archive of this product that say something of it, and hold no labels.
var archiveNotes = []string{"README.txt", "manifest.jsonl", "report.json", "checksums.txt"}

// archiveInterface goes with the tasks of Label Studio.
const archiveInterface = "labeling-interface.xml"

// archives are the folders that an archive of this product was unpacked into.
func (f *importFolder) archives() map[string]bool {
	notes, found := map[string]int{}, map[string]bool{}
	for _, file := range f.files {
		if dir := path.Dir(file.name); slices.Contains(archiveNotes, path.Base(file.name)) {
			notes[dir]++
			found[dir] = notes[dir] >= len(archiveNotes)
		}
	}
	return found
}

// isLeftover recognises what operating systems leave in folders beside their content.
func isLeftover(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(base, ".") || strings.EqualFold(base, "Thumbs.db") || strings.EqualFold(base, "desktop.ini")
}

func (f *importFolder) refuse(name, reason string) {
	f.losses = append(f.losses, store.ImportResult{Name: name, Outcome: store.OutcomeRefused, Reason: reason})
}

// unpack lists what is in an archive. A zip is read from its end, so that it is copied to a file first.
func (f *importFolder) unpack(ctx context.Context, run *store.ImportRun, upload store.ImportFile) error {
	spool, err := scratchFile()
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	f.spools = append(f.spools, spool)
	content := run.Open(ctx, upload)
	size, err := io.Copy(spool, content)
	if err := errors.Join(err, content.Close()); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	zip, err := archive.Open(spool, size, archive.DefaultLimits())
	if err != nil {
		f.refuse(upload.Name, err.Error())
		return nil // the archive's fault: the other files go in
	}
	for _, loss := range zip.Refused().Losses {
		f.refuse(upload.Name+": "+loss.ID, loss.Reason)
	}
	for _, file := range zip.Files() {
		f.files = append(f.files, importEntry{
			name: file.Name, packed: true, open: func(context.Context) (io.ReadCloser, error) { return file.Open() },
		})
	}
	return nil
}

// with returns the files whose names end in one of these extensions, and the others.
func (f *importFolder) with(extensions ...string) (these, others []importEntry) {
	for _, file := range f.files {
		if slices.Contains(extensions, strings.ToLower(path.Ext(file.name))) {
			these = append(these, file)
		} else {
			others = append(others, file)
		}
	}
	return these, others
}

// Close removes the copies of the archives.
func (f *importFolder) Close() error {
	var failed error
	for _, spool := range f.spools {
		failed = errors.Join(failed, spool.Close())
	}
	return failed
}
