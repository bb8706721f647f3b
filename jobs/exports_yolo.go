package jobs

import (
	"context"
	"io"

	"fiducial/internal/formats"
	"fiducial/internal/manifest"
	"fiducial/store"
)

// yoloFolder keeps every image in the folder of its split.
func yoloFolder() func(*store.ExportLine, fileName) string {
	var places formats.YOLOPlaces
	return func(line *store.ExportLine, name fileName) string {
		return places.Place(shortSplits[line.Split], name.path).Image
	}
}

// writeYOLO writes the data.yaml and a label file an item.
func (e *exporting) writeYOLO(ctx context.Context) error { return e.writeYOLOAs(ctx, false) }

// writeOriented is writeYOLO with the corners of every box.
func (e *exporting) writeOriented(ctx context.Context) error { return e.writeYOLOAs(ctx, true) }

func (e *exporting) writeYOLOAs(ctx context.Context, oriented bool) error {
	yolo := formats.NewYOLO(classNames(e.sum.Classes), oriented)
	var splits []string
	for _, split := range e.sides() {
		splits = append(splits, shortSplits[split])
	}
	if err := e.zip.add("data.yaml", func(w io.Writer) error { return yolo.WriteSet(w, e.set(), splits) }); err != nil {
		return err
	}
	var places formats.YOLOPlaces
	return e.lines(ctx, "", func(line *store.ExportLine, name fileName) error {
		place := places.Place(shortSplits[line.Split], name.path)
		if place.Renamed {
			e.report.Add(formats.Renamed, line.Key, "another image has the name without its extension: written as "+place.Image)
		}
		if line.Width == 0 || line.Height == 0 {
			e.report.Add(formats.LeftOut, line.Key, "its labels, since the size of its image is not known and YOLO holds fractions of that")
			return nil
		}
		return e.zip.add(place.Labels, func(w io.Writer) error {
			report, err := yolo.Write(w, labeled(line, name))
			e.report.Merge("", report)
			return err
		})
	})
}

// shortSplits are the names that VOC and YOLO have for the splits.
var shortSplits = map[manifest.Split]string{manifest.Training: "train", manifest.Validation: "val", manifest.Test: "test"}
