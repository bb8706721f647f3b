package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"fiducial/internal/formats"
	"fiducial/internal/jobargs"
	"fiducial/internal/manifest"
	"fiducial/internal/pii"
	"fiducial/store"
	"fiducial/store/blob"
)

// turned is the loss of an image whose pixels are not stored as its boxes see them.
const turned formats.Kind = "turned"

// otherMediaError: the stored image, or sound, is not the one that was frozen. Trying again would not help.
type otherMediaError struct {
	item int64
	what string
}

func (e otherMediaError) Error() string {
	return fmt.Sprintf("The stored %s of item %d is not the one that was frozen. Verify this version with its media.", e.what, e.item)
}

// writeExport streams one archive into object storage.
type writeExport struct {
	river.WorkerDefaults[jobargs.WriteExport]
	deps
}

// Timeout lets an export take as long as it takes.
func (w *writeExport) Timeout(*river.Job[jobargs.WriteExport]) time.Duration { return -1 }

func (w *writeExport) Work(ctx context.Context, job *river.Job[jobargs.WriteExport]) error {
	export, version, ok, err := w.store.BeginExport(ctx, job.Args.ExportID)
	if err != nil {
		return err
	}
	if !ok { // an item of its version was erased while a run before, which was killed, had written it
		return w.store.DropArchive(ctx, job.Args.ExportID)
	}
	archive, err := w.stream(ctx, export, version)
	if err == nil {
		err = w.store.FinishExport(ctx, export.ID, archive)
		if errors.Is(err, store.ErrConflict) {
			return w.store.DropArchive(ctx, export.ID) // erased while it was written
		}
		return err
	}
	other, final := errors.AsType[otherMediaError](err)
	if !final && !givesUp(ctx, job.JobRow) {
		return err
	}
	reason := "Exporting failed again and again. The server's log says why; export again when that is mended."
	if final {
		reason = other.Error()
	}
	failed := w.store.FailExport(ctx, export.ID, reason)
	if errors.Is(failed, store.ErrConflict) {
		return w.store.DropArchive(ctx, export.ID) // an item was erased while it was written, and so its image was gone
	}
	w.log.ErrorContext(ctx, "export failed", slog.Int64("export", export.ID), slog.Any("error", err))
	if failed != nil {
		return errors.Join(err, failed) // tried again until that is noted
	}
	return river.JobCancel(err)
}

// stream writes the archive into a pipe and stores what comes out at the other end, whole or not at all.
func (w *writeExport) stream(ctx context.Context, export store.Export, version store.DatasetVersion) (store.Archive, error) {
	sum, err := w.store.VersionSummary(ctx, version)
	if err != nil {
		return store.Archive{}, err
	}
	reader, writer := io.Pipe()
	digest := sha256.New()
	out := newExporting(w.deps, export, version, sum, io.MultiWriter(writer, digest))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := out.write(ctx)
		return errors.Join(err, writer.CloseWithError(err))
	})
	var stored blob.Info
	group.Go(func() (err error) {
		stored, err = w.blobs.Put(ctx, export.Blob(), reader, -1, "application/zip")
		return errors.Join(err, reader.CloseWithError(err))
	})
	if err := group.Wait(); err != nil {
		return store.Archive{}, err
	}
	report, err := json.Marshal(out.report)
	if err != nil {
		return store.Archive{}, fmt.Errorf("export %d: report: %w", export.ID, err)
	}
	losses := 0
	for _, n := range out.report.Counts {
		losses += n
	}
	return store.Archive{Bytes: stored.Size, SHA256: digest.Sum(nil), Report: report, Losses: losses}, nil
}

// exporting is an archive on its way. Its bytes depend on the version, the format and the media alone, not on when it is written.
type exporting struct {
	deps

	export  store.Export
	version store.DatasetVersion
	sum     store.VersionSummary
	layout  exportLayout
	zip     *archiveWriter
	report  formats.Report
	// several tells that items of more than one project are in it: then folders keep them apart.
	several bool
	written int // of the images, or clips
	// tokens are the labels that stand for personal data, by the project's short name, where they tell who is the same.
	tokens map[string]func(pii.Kind, string) string
}

func newExporting(d deps, export store.Export, version store.DatasetVersion, sum store.VersionSummary, out io.Writer) *exporting {
	e := &exporting{
		deps: d, export: export, version: version, sum: sum, layout: exportLayouts[export.Format],
		zip: newArchiveWriter(out, *version.FrozenAt), several: len(version.Recipe.Projects) > 1,
	}
	if version.Kind == "audio" {
		e.layout = spokenLayouts[export.Format]
	}
	return e
}

func (e *exporting) write(ctx context.Context) error {
	if e.version.Kind == "audio" {
		if err := e.readPersonal(ctx); err != nil {
			return err
		}
	}
	if err := e.addReadme(); err != nil {
		return err
	}
	if err := e.layout.labels(e, ctx); err != nil {
		return err
	}
	if err := e.writeManifest(ctx); err != nil {
		return err
	}
	if e.export.Media && e.layout.places != nil {
		write := e.writeMedia
		if e.version.Kind == "audio" {
			write = e.writeClips
		}
		if err := write(ctx); err != nil {
			return err
		}
	}
	err := e.zip.add("report.json", func(w io.Writer) error {
		lines := json.NewEncoder(w)
		lines.SetIndent("", "  ")
		return lines.Encode(e.report)
	})
	return errors.Join(err, e.zip.close())
}

// sides are the splits that hold something.
func (e *exporting) sides() (sides []manifest.Split) {
	for _, split := range manifest.Splits() {
		for _, c := range e.sum.Counts {
			if c.Split == split && c.ClassID == 0 {
				sides = append(sides, split)
			}
		}
	}
	return sides
}

// lines yields the version's lines of one split, or of all for "", with their file names.
func (e *exporting) lines(ctx context.Context, split manifest.Split, each func(*store.ExportLine, fileName) error) error {
	for line, err := range e.store.ExportLines(ctx, e.version, e.sum.Classes, split, false) {
		if err != nil {
			return err
		}
		if err := each(line, e.name(line)); err != nil {
			return err
		}
	}
	return nil
}

// labeled is a line as the label formats take it.
func labeled(line *store.ExportLine, name fileName) formats.Image {
	im := formats.Image{Key: name.path, Width: line.Width, Height: line.Height, Labeled: true}
	im.Boxes = make([]formats.Box, len(line.Boxes))
	for i, b := range line.Boxes {
		im.Boxes[i] = formats.Box{Class: b.Class, X: b.X, Y: b.Y, W: b.W, H: b.H, Rotation: b.Rotation, Crowd: b.Crowd}
	}
	return im
}

// progressStep is after how many items the progress is noted.
const progressStep = 500

// writeManifest writes a line for each item, then the leaves of what was erased, and notes what the names and the images lose.
func (e *exporting) writeManifest(ctx context.Context) error {
	erased, err := e.store.ErasedLeaves(ctx, e.version)
	if err != nil {
		return err
	}
	return e.zip.add("manifest.jsonl", func(w io.Writer) error {
		out, n := json.NewEncoder(w), 0
		out.SetEscapeHTML(false)
		err := e.lines(ctx, "", func(line *store.ExportLine, name fileName) error {
			e.lose(line, name)
			if n++; n%progressStep == 0 && !e.export.Media {
				if err := e.store.NoteExport(ctx, e.export.ID, n); err != nil {
					return err
				}
			}
			return out.Encode(manifestLine{
				Item: line.Item, Key: line.Key, File: name.path, Split: line.Split,
				Media: hexOf(line.Media), Leaf: hexOf(line.Leaf), spokenManifest: spokenMembers(line),
			})
		})
		if err != nil {
			return err
		}
		for _, leaf := range erased {
			e.report.Add(formats.LeftOut, "", "erased since the version was frozen; its leaf is in manifest.jsonl")
			if err := out.Encode(manifestLine{Leaf: hexOf(leaf), Erased: true}); err != nil {
				return err
			}
		}
		return nil
	})
}

// manifestLine is a line of manifest.jsonl; of an erased item only the leaf is left.
type manifestLine struct {
	Item   int64          `json:"item,omitempty"`
	Key    string         `json:"key,omitempty"`
	File   string         `json:"file,omitempty"`
	Split  manifest.Split `json:"split,omitempty"`
	Media  string         `json:"media_sha256,omitempty"`
	Leaf   string         `json:"leaf"`
	Erased bool           `json:"erased,omitempty"`

	spokenManifest
}

func hexOf(b []byte) string { return fmt.Sprintf("%x", b) }

// lose notes what the archive cannot hold of a line as it is.
func (e *exporting) lose(line *store.ExportLine, name fileName) {
	if name.renamed != "" {
		e.report.Add(formats.Renamed, line.Key, name.renamed+": written as "+name.path)
	}
	if line.Sound != nil {
		switch {
		case !e.export.Media || line.Media != nil || e.unheard(line):
		case line.Redacted():
			e.report.Add(formats.LeftOut, line.Key, "its recording has expired: a redaction of its words is here without sound")
		default:
			e.report.Add(formats.LeftOut, line.Key, "no sound of it was there when the version was frozen")
		}
		e.loseSpoken(line)
		return
	}
	switch media := e.mediaOf(line); {
	case !e.export.Media && line.Orientation > 1:
		e.report.Add(turned, line.Key, "boxes are in the pixels of the image as its EXIF orientation turns it: turn the original before use")
	case !e.export.Media:
	case media == noMedia:
		e.report.Add(formats.LeftOut, line.Key, "no image of it was there when the version was frozen")
	case media == noRendition:
		e.report.Add(formats.LeftOut, line.Key, "its upright rendition is not made yet: export again later")
	case media == upright:
		e.report.Add(turned, line.Key, "turned upright as its EXIF orientation says, since boxes are in upright pixels; media_sha256 is the original's")
	}
}
