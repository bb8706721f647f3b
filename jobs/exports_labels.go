package jobs

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"fiducial/internal/formats"
	"fiducial/internal/manifest"
	"fiducial/store"
)

// exportLayout is how an archive of one format is laid out.
type exportLayout struct {
	labels func(*exporting, context.Context) error
	// places says where each image lies, asked once for each line in their order; nil where images lie among the labels.
	places func() func(*store.ExportLine, fileName) string
	about  string // for the README
	// card makes the README a README.md with the head that it writes.
	card func(*exporting, io.Writer) error
}

var exportLayouts = map[string]exportLayout{
	"coco": {
		labels: (*exporting).writeCOCO, places: imagesFolder,
		about: "annotations/{training,validation,test}.json, images/   COCO; a category's id stays the same from version to version\n",
	},
	"voc": {
		labels: (*exporting).writeVOC, places: vocFolder,
		about: "Annotations/, ImageSets/Main/{train,val,test}.txt, JPEGImages/   Pascal VOC: whole pixels, counted from 1, corners inclusive\n",
	},
	"yolo": {
		labels: (*exporting).writeYOLO, places: yoloFolder,
		about: "data.yaml, labels/{train,val,test}/, images/{train,val,test}/   YOLO: class, centre and size in fractions of the image; an empty file is a negative\n",
	},
	"yolo-obb": {
		labels: (*exporting).writeOriented, places: yoloFolder,
		about: "data.yaml, labels/{train,val,test}/, images/{train,val,test}/   oriented YOLO: class and four corners in fractions of the image; an empty file is a negative\n",
	},
	"cvat": {
		labels: (*exporting).writeCVAT, places: imagesFolder,
		about: "annotations/{training,validation,test}.xml, images/   CVAT for images 1.1: make a task of the images, then upload its annotations\n",
	},
	"labelstudio": {
		labels: (*exporting).writeLabelStudio, places: imagesFolder,
		about: "annotations/{training,validation,test}.json, labeling-interface.xml, images/   tasks of Label Studio: make a project with this interface,\n" +
			"let it serve the folder images/ as local files (LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT), then import the tasks\n",
	},
	"parquet": {
		labels: (*exporting).writeParquet, places: imagesFolder,
		about: "annotations/{training,validation,test}.parquet, images/   Parquet: one row an item, its boxes as a nested list; file is the path under images/\n",
	},
	"huggingface": {
		labels: (*exporting).writeHuggingFace, card: (*exporting).writeCard,
		about: "data/{train,validation,test}-*.parquet   the datasets library of Hugging Face reads this folder: load_dataset(\"path/to/this/folder\")\n" +
			"objects has bbox ([x, y, width, height] in pixels), categories, area, iscrowd and rotation, a list each; a rotated bbox is the upright one around it\n",
	},
}

// writeLabelStudio writes one list of tasks a split, and the labeling interface that they need.
func (e *exporting) writeLabelStudio(ctx context.Context) error {
	classes := classNames(e.sum.Classes)
	err := e.writeSplits(ctx, ".json", func(w io.Writer, images iter.Seq2[formats.Image, error]) (formats.Report, error) {
		return formats.WriteLabelStudio(w, classes, images)
	})
	if err != nil {
		return err
	}
	return e.zip.add(archiveInterface, func(w io.Writer) error { return formats.WriteLabelStudioInterface(w, classes) })
}

// imagesFolder keeps every image under its own name.
func imagesFolder() func(*store.ExportLine, fileName) string {
	return func(_ *store.ExportLine, name fileName) string { return "images/" + name.path }
}

func vocFolder() func(*store.ExportLine, fileName) string {
	var places formats.VOCPlaces
	return func(_ *store.ExportLine, name fileName) string { return places.Place(name.path).Image }
}

// writeCOCO writes one document a split.
func (e *exporting) writeCOCO(ctx context.Context) error {
	return e.writeSplits(ctx, ".json", func(w io.Writer, images iter.Seq2[formats.Image, error]) (formats.Report, error) {
		return formats.WriteCOCO(w, e.set(), categories(e.sum.Classes), images)
	})
}

// writeCVAT writes one document a split.
func (e *exporting) writeCVAT(ctx context.Context) error {
	return e.writeSplits(ctx, ".xml", func(w io.Writer, images iter.Seq2[formats.Image, error]) (formats.Report, error) {
		return formats.WriteCVAT(w, e.set(), classNames(e.sum.Classes), images)
	})
}

// set names what is exported.
func (e *exporting) set() formats.Set {
	return formats.Set{Name: e.version.Dataset, Version: fmt.Sprint(e.version.Number), Hash: hexOf(e.version.Hash), Created: *e.version.FrozenAt}
}

// writeSplits writes one document of annotations a split.
func (e *exporting) writeSplits(ctx context.Context, extension string,
	write func(io.Writer, iter.Seq2[formats.Image, error]) (formats.Report, error),
) error {
	for _, split := range e.sides() {
		file := "annotations/" + string(split) + extension
		err := e.zip.add(file, func(w io.Writer) error {
			report, err := write(w, e.images(ctx, split))
			e.report.Merge(file, report)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *exporting) images(ctx context.Context, split manifest.Split) iter.Seq2[formats.Image, error] {
	return func(yield func(formats.Image, error) bool) {
		for line, err := range e.store.ExportLines(ctx, e.version, e.sum.Classes, split, false) {
			if err != nil {
				yield(formats.Image{}, err)
				return
			}
			if !yield(labeled(line, e.name(line)), nil) {
				return
			}
		}
	}
}

// categories gives each class its own id, which never changes; classes of several projects with one name share the lowest.
func categories(classes []store.VersionClass) (list []formats.COCOCategory) {
	for _, class := range classes { // by id
		if !slices.ContainsFunc(list, func(c formats.COCOCategory) bool { return c.Name == class.Name }) {
			list = append(list, formats.COCOCategory{ID: int(class.ID), Name: class.Name})
		}
	}
	return list
}

// classNames are the names of the classes, each once.
func classNames(classes []store.VersionClass) (names []string) {
	for _, category := range categories(classes) {
		names = append(names, category.Name)
	}
	return names
}

// writeVOC writes one document an item, and the list of each split.
func (e *exporting) writeVOC(ctx context.Context) error {
	var places formats.VOCPlaces
	sets := map[manifest.Split][]string{}
	err := e.lines(ctx, "", func(line *store.ExportLine, name fileName) error {
		place := places.Place(name.path)
		sets[line.Split] = append(sets[line.Split], place.ID)
		return e.zip.add(place.Annotation, func(w io.Writer) error {
			report, err := formats.WriteVOC(w, labeled(line, name), place, e.version.Dataset)
			e.report.Merge("", report)
			return err
		})
	})
	if err != nil {
		return err
	}
	for _, split := range e.sides() {
		err := e.zip.add("ImageSets/Main/"+shortSplits[split]+".txt", func(w io.Writer) error { return formats.WriteVOCSet(w, sets[split]) })
		if err != nil {
			return err
		}
	}
	return nil
}

// addReadme says what the archive is and how to check it.
func (e *exporting) addReadme() error {
	if e.layout.card == nil {
		return e.zip.add("README.txt", e.writeReadme)
	}
	return e.zip.add("README.md", func(w io.Writer) error {
		if err := e.layout.card(e, w); err != nil {
			return err
		}
		if _, err := io.WriteString(w, "\n~~~text\n"); err != nil {
			return err
		}
		if err := e.writeReadme(w); err != nil {
			return err
		}
		_, err := io.WriteString(w, "~~~\n")
		return err
	})
}

func (e *exporting) writeReadme(w io.Writer) error {
	var b strings.Builder
	v := e.version
	fmt.Fprintf(&b, "%s, version %d\n\nfrozen   %s\nsha256   %x\nitems    %d, %s %d\n", v.Dataset, v.Number,
		v.FrozenAt.UTC().Format(time.RFC3339), v.Hash, v.Lines, things(v), v.Boxes)
	if v.Kind == "audio" {
		fmt.Fprintf(&b, "sound    %.1f s, words %d\npersonal %s\n", v.Seconds, v.Words, e.export.Personal)
	}
	if e.sum.Erased > 0 {
		fmt.Fprintf(&b, "erased   %d of these items are gone; their leaves are kept\n", e.sum.Erased)
	}
	b.WriteString("\nSplits\n")
	for _, c := range e.sum.Counts {
		if c.ClassID == 0 {
			fmt.Fprintf(&b, "  %-12s items %d, %s %d\n", c.Split, c.Items, things(v), c.Boxes)
		}
	}
	b.WriteString("\nClasses, with the versions of their definitions that the labels were made under\n")
	for _, c := range e.sum.Classes {
		fmt.Fprintf(&b, "  %4d  %s: %s\n", c.ID, c.Name, definitions(c.Definitions))
	}
	fmt.Fprintf(&b, "\nRecipe\n%s\n", v.Recipe.YAML())
	b.WriteString(e.layout.about)
	if v.Kind == "audio" && e.export.Media {
		b.WriteString("A clip is the sound of an utterance alone, as WAV of 16 bit PCM; media_sha256 is its checksum where nothing personal is silent in it.\n")
	}
	b.WriteString(readmeEnd)
	_, err := io.WriteString(w, b.String())
	return err
}

// things are what the classes of a version are of.
func things(v store.DatasetVersion) string {
	if v.Kind == "audio" {
		return "moments"
	}
	return "boxes"
}

const readmeEnd = `manifest.jsonl    the lines of the version: item, key, split, SHA-256 of the original image or of the utterance's sound, leaf
report.json       what this format could not hold as it was; {} if nothing
checksums.txt     SHA-256 of every other file here: sha256sum -c checksums.txt

The version's sha256 above is the SHA-256 of all leaves of manifest.jsonl, as bytes, in ascending order:
  grep -o '"leaf":"[0-9a-f]*"' manifest.jsonl | cut -d'"' -f4 | sort | xxd -r -p | sha256sum
`

func definitions(versions []int32) string {
	words := make([]string, 0, len(versions))
	for _, v := range versions {
		if v == 0 {
			words = append(words, "none published")
		} else {
			words = append(words, fmt.Sprint(v))
		}
	}
	if len(words) == 0 {
		return "no boxes"
	}
	return strings.Join(words, ", ")
}
