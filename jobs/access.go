package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"fiducial/internal/jobargs"
	"fiducial/store"
	"fiducial/store/blob"
)

// writeAccess streams what is held on a source, or on a person, into object storage.
type writeAccess struct {
	river.WorkerDefaults[jobargs.WriteAccess]
	deps
}

// Timeout lets it take as long as the source is large.
func (w *writeAccess) Timeout(*river.Job[jobargs.WriteAccess]) time.Duration { return -1 }

func (w *writeAccess) Work(ctx context.Context, job *river.Job[jobargs.WriteAccess]) error {
	request, ok, err := w.store.BeginAccess(ctx, job.Args.RequestID)
	if err != nil || !ok {
		return err
	}
	out := &accessWriting{deps: w.deps, request: request}
	archive, err := out.stream(ctx)
	if err == nil {
		err = w.store.FinishAccess(ctx, request.ID, archive, out.records)
	}
	if errors.Is(err, store.ErrConflict) { // what was stored holds something that is erased by now
		err = errors.Join(err, w.blobs.Delete(ctx, request.Blob()))
	}
	const reason = "Writing it failed again and again. The server's log says why; ask again when that is mended."
	return w.orGiveUp(ctx, job.JobRow, err, func() error { return w.store.FailAccess(ctx, request.ID, reason) },
		slog.Int64("request", request.ID))
}

// accessWriting is an archive of what is held on its way.
type accessWriting struct {
	deps

	request store.AccessRequest
	zip     *archiveWriter
	records int64
	missing []string // originals that are not in the object store
}

// stream writes the archive into a pipe and stores what comes out at the other end, whole or not at all.
func (a *accessWriting) stream(ctx context.Context) (store.Archive, error) {
	reader, writer := io.Pipe()
	digest := sha256.New()
	a.zip = newArchiveWriter(io.MultiWriter(writer, digest), a.request.CreatedAt)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := a.write(ctx)
		return errors.Join(err, writer.CloseWithError(err))
	})
	var stored blob.Info
	group.Go(func() (err error) {
		stored, err = a.blobs.Put(ctx, a.request.Blob(), reader, -1, "application/zip")
		return errors.Join(err, reader.CloseWithError(err))
	})
	if err := group.Wait(); err != nil {
		return store.Archive{}, err
	}
	return store.Archive{Bytes: stored.Size, SHA256: digest.Sum(nil)}, nil
}

func (a *accessWriting) write(ctx context.Context) error {
	if err := a.zip.add("README.txt", a.writeReadme); err != nil {
		return err
	}
	for _, part := range a.request.AccessParts() {
		if err := a.zip.add(part.Name, func(w io.Writer) error { return a.writePart(ctx, w, part) }); err != nil {
			return err
		}
	}
	if a.request.Media {
		if err := a.writeOriginals(ctx); err != nil {
			return err
		}
	}
	return a.zip.close()
}

func (a *accessWriting) writeReadme(w io.Writer) error {
	var text strings.Builder
	what := "the person " + a.request.Subject
	if a.request.SourceID != 0 {
		what = "the source " + a.request.Subject
	}
	fmt.Fprintf(&text, "What is held on %s.\n\nAsked for on %s. Times are in UTC. A .jsonl file has one JSON document a line.\n\n",
		what, a.request.CreatedAt.UTC().Format("2 January 2006, 15:04"))
	for _, part := range a.request.AccessParts() {
		fmt.Fprintf(&text, "%-20s %s\n", part.Name, part.About)
	}
	if a.request.Media {
		fmt.Fprintf(&text, "%-20s %s\n", "media/", "the original images and recordings, images named by item")
	}
	fmt.Fprintf(&text, "%-20s %s\n", "checksums.txt", "SHA-256 of each file; sha256sum -c reads it")
	_, err := io.WriteString(w, text.String())
	return err
}

func (a *accessWriting) writePart(ctx context.Context, w io.Writer, part store.AccessPart) error {
	return a.store.EachRecord(ctx, a.request, part, func(record json.RawMessage) error {
		if a.records++; a.records%progressStep == 0 {
			if err := a.store.NoteAccess(ctx, a.request.ID, a.records); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(w, "%s\n", record)
		return err
	})
}

// writeOriginals copies the images in. One that is gone was erased meanwhile, and then all is written again; or was lost, and then
// the archive says so.
func (a *accessWriting) writeOriginals(ctx context.Context) error {
	err := a.store.EachOriginal(ctx, a.request.SourceID, func(media store.HeldMedia) error { return a.copyOriginal(ctx, media) })
	if err != nil || len(a.missing) == 0 {
		return err
	}
	return a.zip.add("missing.txt", func(w io.Writer) error {
		_, err := io.WriteString(w, "These originals are not in the object store:\n"+strings.Join(a.missing, "\n")+"\n")
		return err
	})
}

func (a *accessWriting) copyOriginal(ctx context.Context, media store.HeldMedia) (err error) {
	object, err := a.blobs.Get(ctx, media.Key())
	if errors.Is(err, blob.ErrNotFound) {
		a.missing = append(a.missing, media.Name())
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, object.Close()) }()
	return a.zip.add("media/"+media.Name()+extensionOf(media.ContentType), func(w io.Writer) error {
		_, err := io.Copy(w, object)
		return err
	})
}

// sweepAccess deletes archives of what is held whose time is up.
type sweepAccess struct {
	river.WorkerDefaults[jobargs.SweepAccess]
	deps
}

func (w *sweepAccess) Work(ctx context.Context, _ *river.Job[jobargs.SweepAccess]) error {
	return w.store.SweepAccess(ctx)
}
