package jobs

import (
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"fiducial/internal/formats"
	"fiducial/store"
)

// yoloFiles are the files of an import of YOLO by what they are.
type yoloFiles struct {
	labels, pictures []importEntry
	sets             map[string]*formats.YOLOSet // by the folder that they are of
}

// yoloLists are text files beside the labels that name images or say something of the set.
var yoloLists = []string{
	"train.txt", "val.txt", "valid.txt", "validation.txt", "test.txt", "trainval.txt", "readme.txt", "readme.dataset.txt", "readme.roboflow.txt",
	"license.txt", "requirements.txt",
}

// yoloNotes are further files that label tools write beside, of no use here.
var yoloNotes = []string{".data", ".json", ".md", ".cfg", ".cache", ".labels", ".html"}

// readYOLO brings in the label files with their pictures, then the pictures that have none: those nobody labeled.
func (r *importReading) readYOLO(ctx context.Context) error {
	files, err := r.sortYOLO(ctx)
	if err != nil {
		return err
	}
	p := newPictures(files.pictures)
	if r.run.Purpose != store.PurposeMedia {
		for _, file := range files.labels {
			if err := r.readYOLOFile(ctx, p, file, files.setOf(file.name)); err != nil {
				return err
			}
		}
	}
	return r.readPictures(ctx, p.left(files.pictures))
}

// sortYOLO tells label files, pictures and names of classes from each other by their names, and reads the last.
func (r *importReading) sortYOLO(ctx context.Context) (files yoloFiles, err error) {
	files.sets = map[string]*formats.YOLOSet{}
	lists := map[string]*formats.YOLOSet{} // a data.yaml counts for more
	for _, file := range r.folder.files {
		base := strings.ToLower(path.Base(file.name))
		extension := path.Ext(base)
		var err error
		switch {
		case extension == ".yaml" || extension == ".yml":
			err = r.readYOLOSet(ctx, file, formats.ReadYOLOSet, files.sets)
		case base == "classes.txt" || base == "predefined_classes.txt" || extension == ".names":
			err = r.readYOLOSet(ctx, file, formats.ReadYOLONames, lists)
		case extension == ".txt" && !slices.Contains(yoloLists, base):
			files.labels = append(files.labels, file)
		case extension != ".txt" && !slices.Contains(yoloNotes, extension):
			files.pictures = append(files.pictures, file)
		}
		if err != nil {
			return files, err
		}
	}
	for folder, set := range lists {
		if files.sets[folder] == nil {
			files.sets[folder] = set
		}
	}
	return files, nil
}

// readYOLOSet reads a file of names of classes; it is refused if it cannot be read.
func (r *importReading) readYOLOSet(ctx context.Context, file importEntry,
	read func(io.Reader) (*formats.YOLOSet, error), sets map[string]*formats.YOLOSet,
) error {
	err := readEntry(ctx, file, func(content io.Reader) error {
		set, err := read(content)
		if err == nil {
			sets[path.Dir(file.name)] = set
		}
		return err
	})
	if broken, ok := errors.AsType[*brokenError](err); ok {
		r.refuse(file.name, broken.Error())
		return nil
	}
	return err
}

// setOf is the set of the nearest folder around a label file; the only one there is, if none is around it.
func (f *yoloFiles) setOf(name string) *formats.YOLOSet {
	for folder := path.Dir(name); ; folder = path.Dir(folder) {
		if set := f.sets[folder]; set != nil {
			return set
		}
		if folder == "." {
			break
		}
	}
	if len(f.sets) == 1 {
		for _, set := range f.sets {
			return set
		}
	}
	return &formats.YOLOSet{}
}

func (r *importReading) readYOLOFile(ctx context.Context, p *pictures, file importEntry, set *formats.YOLOSet) error {
	var fractions *formats.Fractions
	var report formats.Report
	err := readEntry(ctx, file, func(content io.Reader) (err error) {
		fractions, report, err = formats.ReadYOLO(content, set)
		return err
	})
	found, missing := formats.YOLOMedia(p.media, file.name)
	if broken, ok := errors.AsType[*brokenError](err); ok {
		return r.add(ctx, store.ImportRecord{Name: file.name, Fault: broken.Error()}, nil) // the picture goes in without
	}
	if err != nil {
		return err
	}
	record := store.ImportRecord{
		Name: file.name, Label: &formats.Image{Labeled: true, Fractions: fractions}, Losses: store.Losses(file.name, report),
		Alike: func(m *formats.Media) (string, error) { return formats.YOLOMedia(m, file.name) },
	}
	switch {
	case errors.Is(missing, formats.ErrManyMedia):
		record.Fault = "Several of the uploaded pictures could be meant. Put the labels into folders like those of the pictures."
	case missing == nil:
		record.Keys = []string{formats.YOLOKey(found)}
	default: // an item that is there already; fractions of a picture that is not cannot be kept
		record.Keys = []string{strings.TrimSuffix(formats.YOLOKey(file.name), path.Ext(file.name)) + ".jpg"}
	}
	return r.addLabels(ctx, p, record, found)
}
