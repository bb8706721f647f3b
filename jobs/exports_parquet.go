package jobs

import (
	"context"
	"io"
	"iter"

	"fiducial/internal/formats"
	"fiducial/internal/manifest"
	"fiducial/store"
)

// itemOf is a line with all that the columnar formats hold of it.
func itemOf(line *store.ExportLine, name fileName) formats.Item {
	item := formats.Item{Image: labeled(line, name), ID: line.Item, Name: line.Key, Split: string(line.Split), Media: hexOf(line.Media)}
	item.Definitions = make([]int, len(line.Boxes))
	for i, b := range line.Boxes {
		item.Definitions[i] = b.Definition
	}
	return item
}

// writeParquet writes one file a split.
func (e *exporting) writeParquet(ctx context.Context) error {
	for _, split := range e.sides() {
		err := e.zip.add("annotations/"+string(split)+".parquet", func(w io.Writer) error {
			return formats.WriteParquet(w, e.set(), e.items(ctx, split))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *exporting) items(ctx context.Context, split manifest.Split) iter.Seq2[formats.Item, error] {
	return func(yield func(formats.Item, error) bool) {
		for line, err := range e.store.ExportLines(ctx, e.version, e.sum.Classes, split, false) {
			if err != nil {
				yield(formats.Item{}, err)
				return
			}
			if !yield(itemOf(line, e.name(line)), nil) {
				return
			}
		}
	}
}
