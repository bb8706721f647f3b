package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"golang.org/x/sync/semaphore"

	"fiducial/internal/formats"
	"fiducial/jobs/media"
	"fiducial/store"
)

// How much goes into one transaction, whichever is reached first.
const (
	importRecords  = 2_000
	importBoxes    = 50_000
	importPictures = 64
	importSpool    = 64 << 20 // bytes of pictures
)

// maxPicture is the most bytes that a picture may have.
const maxPicture = 1 << 30

// importReading reads the files of an import and merges what they say, batch by batch.
type importReading struct {
	run    *store.ImportRun
	folder importFolder
	spool  *os.File // the pictures of the batch, one after the other
	spent  int64    // bytes of the spool in use
	pixels *semaphore.Weighted

	batch    []store.ImportRecord
	boxes    int
	pictures int
	losses   []store.ImportResult // what was refused or lost beside the records
	dropped  map[string]int       // marks of boxes that are not kept

	speech    speechReading // of an import of sound
	converter func() media.Converter
}

func newImportReading(run *store.ImportRun, pixels *semaphore.Weighted) (*importReading, error) {
	spool, err := scratchFile()
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	return &importReading{run: run, spool: spool, pixels: pixels, dropped: map[string]int{}, speech: speechReading{dropped: map[string]int{}, names: map[string]int{}}}, nil
}

// Close removes the copies of what was uploaded.
func (r *importReading) Close() error {
	return errors.Join(r.folder.Close(), r.spool.Close())
}

// refused lists what was refused or lost beside the records.
func (r *importReading) refused() []store.ImportResult {
	results := append(r.folder.losses, r.losses...)
	for _, mark := range slices.Sorted(maps.Keys(r.dropped)) {
		reason := fmt.Sprintf("left out: %s, which is not kept (of %d boxes)", mark, r.dropped[mark])
		results = append(results, store.ImportResult{Name: "All labels", Outcome: store.OutcomeLost, Reason: reason})
	}
	return append(results, r.speech.losses()...)
}

// drop counts what a box says that is not kept with it.
func (r *importReading) drop(box *formats.Box) {
	truth := r.run.Purpose == store.PurposeTruth
	for _, mark := range [...]struct {
		there bool
		name  string
	}{
		{box.Occluded, "the mark of an occluded object"},
		{box.Truncated, "the mark of a truncated object"},
		{box.Difficult, "the mark of a difficult object"},
		{box.Area != 0, "an area other than width times height"},
		{box.Scored && truth, "the score of a box of truth"},
		{box.Crowd && !truth, "the mark of a crowd in a prediction"},
	} {
		if mark.there {
			r.dropped[mark.name]++
		}
	}
}

// refuse refuses a whole file of labels.
func (r *importReading) refuse(name, reason string) {
	r.losses = append(r.losses, store.ImportResult{Name: name, Outcome: store.OutcomeRefused, Reason: reason})
}

func (r *importReading) read(ctx context.Context) error {
	if err := r.run.Expect(ctx, len(r.folder.files)); err != nil {
		return err
	}
	if r.run.Kind == "audio" {
		return r.readSpeech(ctx)
	}
	var err error
	switch r.run.Format {
	case store.FormatVOC:
		err = r.readVOC(ctx)
	case store.FormatCOCO:
		err = r.readCOCO(ctx)
	case store.FormatCVAT:
		err = r.readDocuments(ctx, ".xml", formats.ReadCVAT)
	case store.FormatLabelStudio:
		err = r.readDocuments(ctx, ".json", formats.ReadLabelStudio)
	case store.FormatYOLO:
		err = r.readYOLO(ctx)
	default:
		err = r.readPictures(ctx, r.folder.files)
	}
	if err != nil {
		return err
	}
	return r.flush(ctx)
}

// readPictures brings in pictures without labels.
func (r *importReading) readPictures(ctx context.Context, files []importEntry) error {
	for _, file := range files {
		record := store.ImportRecord{
			Name: file.name, Keys: []string{r.pictureKey(file.name)},
			Alike: func(m *formats.Media) (string, error) { return m.Find(file.name) },
		}
		if err := r.add(ctx, record, &file); err != nil {
			return err
		}
	}
	return nil
}

// add puts a record into the batch, with its picture if it has one.
func (r *importReading) add(ctx context.Context, record store.ImportRecord, picture *importEntry) error {
	if record.Label != nil {
		for i := range record.Label.Boxes {
			r.drop(&record.Label.Boxes[i])
		}
	}
	if r.run.Done(record.Name) {
		return nil
	}
	if picture != nil {
		if err := r.addPicture(ctx, &record, *picture); err != nil {
			return err
		}
	}
	if record.Label != nil {
		r.boxes += len(record.Label.Boxes)
		if record.Label.Fractions != nil {
			r.boxes += record.Label.Fractions.Len()
		}
	}
	r.batch = append(r.batch, record)
	if len(r.batch) < importRecords && r.boxes < importBoxes && r.pictures < importPictures && r.spent < importSpool {
		return nil
	}
	return r.flush(ctx)
}

func (r *importReading) flush(ctx context.Context) error {
	if err := r.run.Merge(ctx, r.batch); err != nil {
		return err
	}
	clear(r.batch)
	r.batch, r.boxes, r.pictures, r.spent = r.batch[:0], 0, 0, 0
	return r.spool.Truncate(0)
}

// addPicture copies a picture to the spool and looks at it. What is wrong with it becomes the record's fault.
func (r *importReading) addPicture(ctx context.Context, record *store.ImportRecord, file importEntry) error {
	record.File = file.name
	content, err := file.open(ctx)
	if err == nil {
		defer func() { _ = content.Close() }() // it was only read
		record.Media, err = r.look(ctx, content)
	}
	if record.Fault = fault(file, err); record.Fault != "" && record.Label != nil {
		record.Fault += " Its labels stay out too."
	}
	if record.Fault != "" {
		return nil
	}
	return err
}

// fault says what is wrong with a file, when err is about the file and not about a service.
func fault(file importEntry, err error) string {
	if err == nil {
		return ""
	}
	if refused, ok := errors.AsType[*media.RefusedError](err); ok {
		return refused.Sentence
	}
	if file.packed || errors.Is(err, store.ErrIncomplete) {
		return err.Error()
	}
	return ""
}

// look copies content to the spool and decodes it, so that a picture which is damaged anywhere is refused now.
func (r *importReading) look(ctx context.Context, content io.Reader) (*store.ImportMedia, error) {
	start, hash := r.spent, sha256.New()
	limited := io.LimitReader(content, maxPicture+1)
	size, err := io.Copy(io.NewOffsetWriter(r.spool, start), io.TeeReader(limited, hash))
	if err != nil {
		return nil, err
	}
	if size > maxPicture {
		return nil, &media.RefusedError{Reason: media.TooLarge, Sentence: "The file is larger than 1 GB: make the picture smaller."}
	}
	section := io.NewSectionReader(r.spool, start, size)
	info, err := r.decode(ctx, section)
	if err != nil {
		return nil, err
	}
	facts, err := json.Marshal(originalFacts{info.Orientation, info.BitDepth})
	r.spent += size
	r.pictures++
	return &store.ImportMedia{
		Content: section, Bytes: size, SHA256: hash.Sum(nil), ContentType: info.Type.ContentType(), Width: info.Width, Height: info.Height,
		StoredWidth: info.StoredWidth, StoredHeight: info.StoredHeight, Facts: facts,
	}, err
}

// decode decodes a picture within the memory that this process has for it.
func (r *importReading) decode(ctx context.Context, content *io.SectionReader) (media.Info, error) {
	info, err := media.Inspect(content, content.Size(), media.DefaultLimits)
	if err != nil {
		return info, err
	}
	pixels := min(int64(info.StoredWidth)*int64(info.StoredHeight), pixelsAtOnce)
	if err := r.pixels.Acquire(ctx, pixels); err != nil {
		return info, err
	}
	defer r.pixels.Release(pixels)
	_, err = media.Decode(content, content.Size(), media.DefaultLimits)
	return info, err
}
