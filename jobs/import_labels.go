package jobs

import (
	"context"
	"errors"
	"io"
	"path"
	"strings"

	"fiducial/internal/formats"
	"fiducial/store"
)

// pictures finds the uploaded pictures that label files mean.
type pictures struct {
	media  *formats.Media
	byName map[string]*importEntry
	usedBy map[string]string // which labels have a picture
}

func newPictures(files []importEntry) *pictures {
	p := &pictures{byName: map[string]*importEntry{}, usedBy: map[string]string{}}
	names := make([]string, len(files))
	for i := range files {
		names[i] = files[i].name
		p.byName[names[i]] = &files[i]
	}
	p.media = formats.NewMedia(names)
	return p
}

// left are the pictures that no labels have.
func (p *pictures) left(files []importEntry) []importEntry {
	var left []importEntry
	for _, file := range files {
		if p.usedBy[file.name] == "" {
			left = append(left, file)
		}
	}
	return left
}

// pictureKey is the external key of a picture by where it lies.
func (r *importReading) pictureKey(name string) string {
	switch r.run.Format {
	case store.FormatVOC:
		return formats.VOCKey(name)
	case store.FormatYOLO:
		return formats.YOLOKey(name)
	}
	return name
}

// addLabels adds what a file at place says of one image, together with the uploaded picture, if found.
func (r *importReading) addLabels(ctx context.Context, p *pictures, record store.ImportRecord, found string) error {
	if found == "" {
		return r.add(ctx, record, nil)
	}
	if other := p.usedBy[found]; other != "" {
		record.Fault = "The labels of " + found + " were taken from " + other + " already."
		return r.add(ctx, record, nil)
	}
	p.usedBy[found] = record.Name
	record.Place, record.Name = record.Name, found
	return r.add(ctx, record, p.byName[found])
}

// readVOC brings in the annotation files with their pictures, then the pictures that have none.
func (r *importReading) readVOC(ctx context.Context) error {
	labels, others := r.folder.with(".xml")
	files := others[:0:0]
	for _, file := range others {
		if strings.ToLower(path.Ext(file.name)) != ".txt" { // ImageSets: which image is in which split
			files = append(files, file)
		}
	}
	p := newPictures(files)
	if r.run.Purpose != store.PurposeMedia {
		for _, file := range labels {
			if err := r.readVOCFile(ctx, p, file); err != nil {
				return err
			}
		}
	}
	return r.readPictures(ctx, p.left(files))
}

func (r *importReading) readVOCFile(ctx context.Context, p *pictures, file importEntry) error {
	var image formats.Image
	var report formats.Report
	err := readEntry(ctx, file, func(content io.Reader) (err error) {
		image, report, err = formats.ReadVOC(content, r.run.Options.VOCBase)
		return err
	})
	if broken, ok := errors.AsType[*brokenError](err); ok {
		return r.add(ctx, store.ImportRecord{Name: file.name, Fault: broken.Error()}, nil)
	}
	if err != nil {
		return err
	}
	filename := image.Key
	record := store.ImportRecord{
		Name: file.name, Label: &image, Losses: store.Losses(file.name, report),
		Alike: func(m *formats.Media) (string, error) { return formats.VOCMedia(m, file.name, filename) },
	}
	found, err := formats.VOCMedia(p.media, file.name, filename)
	switch {
	case errors.Is(err, formats.ErrManyMedia):
		record.Fault = "Several of the uploaded pictures could be meant: " + filename + ". Give the path with its folders."
	case err == nil:
		record.Keys = []string{formats.VOCKey(found)}
	default:
		record.Keys = []string{vocLabelKey(file.name, filename)}
	}
	return r.addLabels(ctx, p, record, found)
}

// vocLabelKey is the key of an item whose labels come without its picture: beside the labels, under the
// file name that they give.
func vocLabelKey(xmlKey, filename string) string {
	stem := strings.TrimSuffix(xmlKey, path.Ext(xmlKey))
	if path.Ext(filename) == "" {
		filename = path.Base(stem) + ".jpg"
	}
	if strings.Contains(filename, "/") {
		return filename
	}
	var folders []string
	for _, folder := range strings.Split(path.Dir(stem), "/") {
		if !strings.EqualFold(folder, "Annotations") {
			folders = append(folders, folder)
		}
	}
	return path.Join(path.Join(folders...), filename)
}

// readCOCO brings in the data sets with their pictures, then the pictures that have no labels. Lists of
// results take their images and categories from the one data set that was uploaded with them.
func (r *importReading) readCOCO(ctx context.Context) error {
	labels, files := r.folder.with(".json")
	p := newPictures(files)
	if r.run.Purpose == store.PurposeMedia {
		return r.readPictures(ctx, files)
	}
	results, sets, err := r.sortCOCO(ctx, labels)
	if err != nil {
		return err
	}
	if len(results) > 0 && len(sets) != 1 {
		for _, file := range results {
			r.refuse(file.name, "This is a list of COCO results. Upload it together with one data set, the file with its images and categories.")
		}
		results = nil
	}
	if len(results) > 0 {
		for _, file := range results {
			if err := r.readCOCOResults(ctx, p, sets[0], file); err != nil {
				return err
			}
		}
		return r.readPictures(ctx, p.left(files))
	}
	for _, file := range sets {
		if err := r.readCOCOFile(ctx, p, file); err != nil {
			return err
		}
	}
	return r.readPictures(ctx, p.left(files))
}

// sortCOCO tells lists of results from data sets by their first character.
func (r *importReading) sortCOCO(ctx context.Context, labels []importEntry) (results, sets []importEntry, err error) {
	for _, file := range labels {
		var first byte
		err := readEntry(ctx, file, func(content io.Reader) error {
			buffer := make([]byte, 1)
			for first == 0 || first == ' ' || first == '\n' || first == '\r' || first == '\t' || first >= 0x80 { // a byte order mark
				if _, err := io.ReadFull(content, buffer); err != nil {
					return err
				}
				first = buffer[0]
			}
			return nil
		})
		if _, broken := errors.AsType[*brokenError](err); err != nil && !broken {
			return nil, nil, err
		}
		if first == '[' {
			results = append(results, file)
		} else {
			sets = append(sets, file)
		}
	}
	return results, sets, nil
}

func (r *importReading) readCOCOFile(ctx context.Context, p *pictures, file importEntry) error {
	read := formats.ReadCOCO
	if r.run.Purpose != store.PurposeTruth {
		read = formats.ReadCOCOAsWritten // detectors reach over the border
	}
	return r.readImages(ctx, p, file, read)
}

func (r *importReading) readCOCOResults(ctx context.Context, p *pictures, set, file importEntry) error {
	return r.readImages(ctx, p, file, func(content io.Reader, yield func(formats.Image) error) (report formats.Report, err error) {
		err = readEntry(ctx, set, func(truth io.Reader) (err error) {
			report, err = formats.ReadCOCOResults(truth, content, yield)
			return err
		})
		return report, err
	})
}

// readDocuments brings in the label files with this extension, each of many images, with their pictures, then the pictures
// that have no labels.
func (r *importReading) readDocuments(ctx context.Context, extension string,
	read func(content io.Reader, asWritten bool, yield func(formats.Image) error) (formats.Report, error),
) error {
	labels, files := r.folder.with(extension)
	p := newPictures(files)
	if r.run.Purpose != store.PurposeMedia {
		for _, file := range labels {
			err := r.readImages(ctx, p, file, func(content io.Reader, yield func(formats.Image) error) (formats.Report, error) {
				return read(content, r.run.Purpose != store.PurposeTruth, yield) // detectors reach over the border
			})
			if err != nil {
				return err
			}
		}
	}
	return r.readPictures(ctx, p.left(files))
}

// readImages adds every image that read yields of a file. An error of the file itself refuses what it
// still holds.
func (r *importReading) readImages(ctx context.Context, p *pictures, file importEntry,
	read func(io.Reader, func(formats.Image) error) (formats.Report, error),
) error {
	var merging error
	var report formats.Report
	err := readEntry(ctx, file, func(content io.Reader) (err error) {
		report, err = read(content, func(image formats.Image) error {
			merging = r.addImage(ctx, p, file, &image)
			return merging
		})
		return err
	})
	if merging != nil {
		return merging
	}
	r.losses = append(r.losses, store.Losses(file.name, report)...)
	if broken, ok := errors.AsType[*brokenError](err); ok {
		r.refuse(file.name, broken.Error())
		return nil
	}
	return err
}

// addImage adds an image of a file that holds many, under the name that the file gives it.
func (r *importReading) addImage(ctx context.Context, p *pictures, file importEntry, image *formats.Image) error {
	record := store.ImportRecord{
		Name: file.name + ": " + image.Key, Keys: []string{image.Key}, Label: image,
		Alike: func(m *formats.Media) (string, error) { return m.Find(image.Key) },
	}
	found, err := p.media.Find(image.Key)
	if errors.Is(err, formats.ErrNoMedia) && image.Also != "" {
		found, err = p.media.Find(image.Also)
	}
	switch {
	case errors.Is(err, formats.ErrManyMedia):
		record.Fault = "Several of the uploaded pictures could be meant. Give the name of the image with its folders."
	case err == nil && found != image.Key:
		record.Keys = append(record.Keys, found)
	}
	return r.addLabels(ctx, p, record, found)
}

// brokenError is an error that is a file's own fault.
type brokenError struct{ error }

func (b *brokenError) Unwrap() error { return b.error }

// readEntry hands the content of a file to read. What read finds wrong is a brokenError, unless the
// content could not be fetched.
func readEntry(ctx context.Context, file importEntry, read func(io.Reader) error) error {
	content, err := file.open(ctx)
	if err != nil {
		if file.packed {
			return &brokenError{err}
		}
		return err
	}
	fetched := &fetchedReader{content: content}
	err = read(fetched)
	_ = content.Close() // it was only read
	if fetched.err != nil && !file.packed && !errors.Is(fetched.err, store.ErrIncomplete) {
		err = &fetchError{fetched.err}
	}
	if _, away := errors.AsType[*fetchError](err); away || err == nil {
		return err
	}
	return &brokenError{err}
}

// fetchError is an error of the storage that a file is read from.
type fetchError struct{ error }

func (f *fetchError) Unwrap() error { return f.error }

// fetchedReader remembers why its content could not be fetched.
type fetchedReader struct {
	content io.Reader
	err     error
}

// Read implements io.Reader.
func (f *fetchedReader) Read(p []byte) (int, error) {
	n, err := f.content.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}
