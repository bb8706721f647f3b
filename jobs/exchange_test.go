package jobs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"testing"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"fiducial/internal/jobargs"
	"fiducial/internal/manifest"
	"fiducial/store"
)

// exchangeFormats are the formats that an archive is written in, by the format that reads it.
var exchangeFormats = map[string]string{"coco": store.FormatCOCO, "cvat": store.FormatCVAT, "labelstudio": store.FormatLabelStudio, "yolo-obb": store.FormatYOLO}

func (im *importing) deps() deps {
	return deps{store: im.store, blobs: im.blobs, log: slog.New(slog.DiscardHandler)}
}

// archive freezes the project and exports it.
func (im *importing) archive(format string, media bool) (store.Export, []byte) {
	im.Helper()
	ctx := im.Context()
	recipe := manifest.Default()
	recipe.Projects = []string{im.slug}
	version, err := im.store.Freeze(ctx, store.System(), "all", recipe)
	im.must(err)
	freeze := river.Job[jobargs.FreezeVersion]{JobRow: &rivertype.JobRow{Attempt: 1, MaxAttempts: 3}, Args: jobargs.FreezeVersion{VersionID: version.ID}}
	im.must((&freezeVersion{deps: im.deps()}).Work(ctx, &freeze))
	version, err = im.store.DatasetVersion(ctx, store.System(), "all", version.Number)
	im.must(err)
	export, err := im.store.AddExport(ctx, store.System(), version, store.ExportAsk{Format: format, Media: media})
	im.must(err)
	write := river.Job[jobargs.WriteExport]{JobRow: &rivertype.JobRow{Attempt: 1, MaxAttempts: 3}, Args: jobargs.WriteExport{ExportID: export.ID}}
	im.must((&writeExport{deps: im.deps()}).Work(ctx, &write))
	export, _, err = im.store.Export(ctx, store.System(), export.ID)
	im.must(err)
	object, err := im.blobs.Get(context.WithoutCancel(ctx), export.Blob())
	im.must(err)
	content, err := io.ReadAll(object)
	im.must(err)
	im.must(object.Close())
	return export, content
}

func (im *importing) must(err error) {
	im.Helper()
	if err != nil {
		im.Fatal(err)
	}
}

func truthIn(format string) store.NewImport {
	return store.NewImport{Format: format, Purpose: store.PurposeTruth, Options: store.ImportOptions{VOCBase: 1, AddClasses: true}}
}

// TestSteelThroughEveryArchive exports the real set in each format and imports the archive where it came from: every item is
// found again, with the boxes that it has.
func TestSteelThroughEveryArchive(t *testing.T) {
	t.Parallel()
	files := filesBelow(t, testData(t, "steel"))
	im := newImporting(t)
	if counts, results := im.run(truthIn(store.FormatVOC), map[string][]byte{"steel.zip": zipped(t, files)}); counts.Added != 1500 {
		t.Fatalf("%+v %v", counts, refusals(results))
	}
	im.must(im.loseSome())
	for format, reader := range exchangeFormats {
		export, archive := im.archive(format, false)
		if want := map[string]int{"coco": 499}[format]; export.Losses != want { // what is rotated
			t.Errorf("%s: %d losses, want %d", format, export.Losses, want)
		}
		counts, results := im.run(truthIn(reader), map[string][]byte{format + ".zip": archive})
		if counts.Unchanged != 1500 || counts.Added+counts.Changed+counts.Refused+counts.Lost != 0 {
			t.Errorf("%s: %+v %v", format, counts, refusals(results))
		}
	}
}

// loseSome makes some negatives and rotates some boxes, about their centres and not over the border.
func (im *importing) loseSome() error {
	_, err := im.pool.Exec(im.Context(), `DELETE FROM truth_boxes WHERE truth_id % 50 = 0`)
	if err != nil {
		return err
	}
	_, err = im.pool.Exec(im.Context(), `UPDATE truth_boxes SET w = least(w, h) / 2, h = least(w, h) / 4,
		x = x + w / 2 - least(w, h) / 4, y = y + h / 2 - least(w, h) / 8, rotation = position * 37 - 80.5 WHERE truth_id % 7 = 0`)
	return err
}

// TestArchiveMakesAProjectAnew imports the archives of a few items with their pictures into an empty project.
func TestArchiveMakesAProjectAnew(t *testing.T) {
	t.Parallel()
	files := filesBelow(t, testData(t, "steel"))
	maps.DeleteFunc(files, func(name string, _ []byte) bool { return len(name) < 5 || name[len(name)-5] != '7' }) // every tenth
	im := newImporting(t)
	before, results := im.run(truthIn(store.FormatVOC), map[string][]byte{"steel.zip": zipped(t, files)})
	if before.Added != 150 {
		t.Fatalf("%+v %v", before, refusals(results))
	}
	im.must(im.loseSome())
	want := fmt.Sprint(im.truth())
	archives := map[string][]byte{}
	for format := range exchangeFormats {
		_, archives[format] = im.archive(format, true)
	}
	for format, archive := range archives {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			empty := newImporting(t)
			counts, results := empty.run(truthIn(exchangeFormats[format]), map[string][]byte{format + ".zip": archive})
			if counts.Added != 150 || counts.Refused+counts.Lost != 0 || fmt.Sprint(empty.truth()) != want {
				t.Errorf("%+v %v", counts, refusals(results))
			}
		})
	}
}
