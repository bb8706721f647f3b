package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"
	"testing"

	"github.com/riverqueue/river"

	"fiducial/store"
)

// picture is a PNG of w × h pixels, different for each shade.
func picture(tb testing.TB, w, h int, shade uint8) []byte {
	tb.Helper()
	img := image.NewGray(image.Rect(0, 0, w, h))
	img.SetGray(0, 0, color.Gray{Y: shade})
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, img); err != nil {
		tb.Fatal(err)
	}
	return encoded.Bytes()
}

// coco is a data set of one image with one box.
func coco(file string, w, h int, box string) []byte {
	return fmt.Appendf(nil, `{"images":[{"id":1,"file_name":%q,"width":%d,"height":%d}],"categories":[{"id":1,"name":"scratch"}],
		"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":%s}]}`, file, w, h, box)
}

func cocoTruth() store.NewImport {
	return store.NewImport{Format: store.FormatCOCO, Purpose: store.PurposeTruth, Options: store.ImportOptions{VOCBase: 1, AddClasses: true}}
}

func mediaOnly() store.NewImport {
	return store.NewImport{Format: store.FormatImages, Purpose: store.PurposeMedia}
}

// expect fails unless the results are these, as "outcome name" lines in any order.
func expect(tb testing.TB, results []store.ImportResult, want ...string) {
	tb.Helper()
	got := map[string]bool{}
	for _, r := range results {
		got[r.Outcome+" "+r.Name] = true
	}
	for _, line := range want {
		if !got[line] {
			tb.Errorf("no result %q among %+v", line, results)
		}
	}
	if len(results) != len(want) {
		tb.Errorf("%d results, want %d: %+v", len(results), len(want), results)
	}
}

func TestLabelsAndPicturesMeetWhicheverComesFirst(t *testing.T) {
	t.Parallel()
	labels := map[string][]byte{"labels.json": coco("a.png", 20, 10, "[1,2,3,4]")}
	pictures := map[string][]byte{"day/a.png": picture(t, 20, 10, 1)}

	t.Run("labels first", func(t *testing.T) {
		t.Parallel()
		im := newImporting(t)
		_, first := im.run(cocoTruth(), labels)
		expect(t, first, "added labels.json: a.png")
		if n := im.number(`SELECT count(*) FROM items WHERE state = 'awaiting_media' AND width = 20`); n != 1 {
			t.Errorf("%d items await their picture", n)
		}
		_, second := im.run(mediaOnly(), pictures)
		expect(t, second, "changed day/a.png")
		_, third := im.run(mediaOnly(), pictures)
		expect(t, third, "unchanged day/a.png")
		_, fourth := im.run(cocoTruth(), labels)
		expect(t, fourth, "unchanged labels.json: a.png")
	})
	t.Run("pictures first", func(t *testing.T) {
		t.Parallel()
		im := newImporting(t)
		im.run(mediaOnly(), pictures)
		if n := im.number(`SELECT count(*) FROM tasks WHERE state = 'open'`); n != 1 {
			t.Errorf("%d open tasks", n)
		}
		_, second := im.run(cocoTruth(), labels)
		expect(t, second, "changed labels.json: a.png")
		if n := im.number(`SELECT count(*) FROM tasks WHERE state = 'adjudicated'`); n != 1 {
			t.Errorf("%d adjudicated tasks", n)
		}
	})
	t.Run("together", func(t *testing.T) {
		t.Parallel()
		im := newImporting(t)
		both := map[string][]byte{"labels.json": labels["labels.json"], "images/a.png": pictures["day/a.png"], "images/b.png": picture(t, 5, 5, 2)}
		_, first := im.run(cocoTruth(), both)
		expect(t, first, "added images/a.png", "added images/b.png")
		_, second := im.run(cocoTruth(), both)
		expect(t, second, "unchanged images/a.png", "unchanged images/b.png")
		if n := im.number(`SELECT count(*) FROM river_job WHERE kind = 'render_item'`); n != 2 {
			t.Errorf("%d renderings were asked for", n)
		}
	})
}

func TestAFaultyRecordStopsNoOther(t *testing.T) {
	t.Parallel()
	im := newImporting(t)
	truth := cocoTruth()
	truth.Options.AddClasses = false
	_, results := im.run(truth, map[string][]byte{
		"labels.json":  coco("a.png", 20, 10, "[1,2,3,4]"), // a class that the book lacks
		"broken.json":  []byte(`{"images":[`),
		"images/a.png": picture(t, 20, 10, 1),
		"bad.png":      []byte("no picture"),
		"images.zip": zipped(t, map[string][]byte{
			"../../etc/passwd": []byte("x"), "c.png": picture(t, 3, 3, 3), "inner.zip": []byte("PK"),
		}),
		"lies.zip": []byte("PK no zip"),
	})
	expect(t, results, "added images/a.png", "refused labels.json: a.png", "refused broken.json", "refused bad.png",
		"refused images.zip: ../../etc/passwd", "added c.png", "refused images.zip: inner.zip", "refused lies.zip")
	for _, r := range results {
		if r.Name == "labels.json: a.png" && !strings.Contains(r.Reason, `"scratch"`) {
			t.Errorf("the reason does not name the class: %s", r.Reason)
		}
		if r.Outcome == store.OutcomeRefused && r.Reason == "" {
			t.Errorf("%s is refused without a reason", r.Name)
		}
	}
}

// A picture none of whose boxes could be taken comes in without truth: that would say that there is nothing on it.
func TestRefusedBoxesLeaveNoTruth(t *testing.T) {
	t.Parallel()
	im := newImporting(t)
	_, results := im.run(cocoTruth(), map[string][]byte{"labels.json": coco("a.png", 20, 10, "[15,2,30,4]"), "a.png": picture(t, 20, 10, 1)})
	expect(t, results, "added a.png", "refused labels.json: annotation 1 in a.png", "lost labels.json: image 1 (a.png)")
	im.run(mediaOnly(), map[string][]byte{"b.png": picture(t, 20, 10, 2), "c.png": picture(t, 20, 10, 3)})
	im.run(truthIn(store.FormatYOLO), map[string][]byte{
		"data.yaml": []byte("names: [scratch]"), "labels/b.txt": []byte("0 1.2 0.5 0.1 0.1"), "labels/c.txt": nil,
	})
	im.wantKeys("a.png 20×10 -", "b.png 20×10 -", "c.png 20×10 0")
}

func TestAnotherPictureUnderTheSameNameIsRefused(t *testing.T) {
	t.Parallel()
	im := newImporting(t)
	im.run(mediaOnly(), map[string][]byte{"a.png": picture(t, 8, 8, 1)})
	_, results := im.run(mediaOnly(), map[string][]byte{"a.png": picture(t, 8, 8, 2), "twin.png": picture(t, 8, 8, 1)})
	expect(t, results, "refused a.png", "added twin.png")
	for _, r := range results {
		if r.Name == "twin.png" && !strings.Contains(r.Reason, "same picture") {
			t.Errorf("the twin is not noted: %q", r.Reason)
		}
	}
	_, results = im.run(cocoTruth(), map[string][]byte{"l.json": coco("a.png", 99, 8, "[1,1,2,2]")})
	expect(t, results, "refused l.json: a.png") // labels of a picture of another size
}

func TestImportedTruthIsReplacedUnlessAPersonDecided(t *testing.T) {
	t.Parallel()
	im := newImporting(t)
	im.run(cocoTruth(), map[string][]byte{"l.json": coco("a.png", 20, 10, "[1,2,3,4]")})
	_, results := im.run(cocoTruth(), map[string][]byte{"l.json": coco("a.png", 20, 10, "[1,2,3,5]")})
	expect(t, results, "changed l.json: a.png")
	if n := im.number(`SELECT count(*) FROM truths WHERE current`); n != 1 {
		t.Errorf("%d current truths", n)
	}
	im.number(`
		WITH person AS (INSERT INTO people (role, pseudonym) VALUES ('reviewer', 'R1') RETURNING id),
		review AS (INSERT INTO reviews (task_id, item_id, reviewer_id, decision) SELECT t.id, t.item_id, p.id, 'amended' FROM tasks t, person p RETURNING id),
		changed AS (UPDATE truths SET review_id = (SELECT id FROM review), import_id = NULL WHERE current RETURNING 1)
		SELECT count(*) FROM changed`)
	_, results = im.run(cocoTruth(), map[string][]byte{"l.json": coco("a.png", 20, 10, "[1,2,3,6]")})
	expect(t, results, "refused l.json: a.png")
	_, results = im.run(cocoTruth(), map[string][]byte{"l.json": coco("a.png", 20, 10, "[1,2,3,5]")})
	expect(t, results, "unchanged l.json: a.png")
}

func TestPredictionsKeepTheirScoresAndAreReplaced(t *testing.T) {
	t.Parallel()
	im := newImporting(t)
	im.run(cocoTruth(), map[string][]byte{"l.json": coco("a.png", 20, 10, "[1,2,3,4]")})
	if _, err := im.store.AddModel(im.Context(), store.System(), "net", "detector"); err != nil {
		t.Fatal(err)
	}
	if _, err := im.store.ReleaseModel(im.Context(), store.System(), "net", "1"); err != nil {
		t.Fatal(err)
	}
	prediction := store.NewImport{Format: store.FormatCOCO, Purpose: store.PurposePrediction, Model: "net@1"}
	files := map[string][]byte{
		"set.json":     coco("a.png", 20, 10, "[1,2,3,4]"),
		"results.json": []byte(`[{"image_id":1,"category_id":1,"bbox":[-2,1,5,5],"score":0.75},{"image_id":1,"category_id":1,"bbox":[40,1,5,5],"score":0.5}]`),
	}
	_, results := im.run(prediction, files)
	expect(t, results, "changed results.json: a.png", "refused results.json: a.png: box 2")
	if n := im.number(`SELECT count(*) FROM prediction_boxes WHERE score = 0.75 AND x = 0 AND w = 3`); n != 1 {
		t.Errorf("%d boxes of the prediction, cut off at the border", n)
	}
	_, results = im.run(prediction, files)
	expect(t, results, "unchanged results.json: a.png", "refused results.json: a.png: box 2")
	files["results.json"] = []byte(`[{"image_id":1,"category_id":1,"bbox":[1,1,5,5],"score":0.9}]`)
	_, results = im.run(prediction, files)
	expect(t, results, "changed results.json: a.png")
	if n := im.number(`SELECT count(*) FROM predictions`); n != 1 {
		t.Errorf("%d predictions", n)
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	t.Parallel()
	im := newImporting(t)
	dry := cocoTruth()
	dry.Options.DryRun = true
	_, results := im.run(dry, map[string][]byte{"l.json": coco("a.png", 20, 10, "[1,2,3,4]"), "a.png": picture(t, 20, 10, 1)})
	expect(t, results, "added a.png")
	if n := im.number(`SELECT (SELECT count(*) FROM items) + (SELECT count(*) FROM classes) + (SELECT count(*) FROM import_reservations)`); n != 0 {
		t.Errorf("a dry run left %d rows", n)
	}
}

func TestACancelledImportStops(t *testing.T) {
	t.Parallel()
	im := newImporting(t)
	id := im.upload(mediaOnly(), map[string][]byte{"a.png": picture(t, 8, 8, 1)})
	if err := im.store.CancelImport(t.Context(), store.System(), id); err != nil {
		t.Fatal(err)
	}
	if err := im.work(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if n := im.number(`SELECT (SELECT count(*) FROM items) + (SELECT count(*) FROM import_files)`); n != 0 {
		t.Errorf("a cancelled import left %d rows", n)
	}
	for object, err := range im.blobs.List(t.Context(), "imports/") {
		t.Errorf("a cancelled import left %s (%v)", object.Key, err)
	}
}

func TestAKilledImportGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	files := map[string][]byte{"labels.json": coco("p000.png", 20, 10, "[1,2,3,4]")}
	for i := range 150 { // three batches
		files[fmt.Sprintf("p%03d.png", i)] = picture(t, 20, 10, uint8(i))
	}
	im := newImporting(t)
	id := im.upload(cocoTruth(), files)
	kills := 0
	for _, results := range []int{1, 65, 100} {
		ctx, kill := context.WithCancelCause(t.Context())
		stop := im.watch(ctx, id, results, func() { kill(errors.New("killed")) })
		if err := im.work(ctx, id); err != nil {
			kills++
		}
		stop()
	}
	// The database takes a moment to see that a killed connection, and its lock, is gone.
	for done := 0; done == 0; done = im.number(`SELECT count(*) FROM imports WHERE state = 'done'`) {
		if err := im.work(t.Context(), id); err != nil && !errors.As(err, new(*river.JobSnoozeError)) {
			t.Fatal(err)
		}
	}
	counts, results := im.results(id)
	if counts.Added != 150 || len(results) != 150 {
		t.Errorf("after %d kills: %+v, %d results", kills, counts, len(results))
	}
	if n := im.number(`SELECT count(*) FROM items i JOIN assets a ON a.item_id = i.id JOIN item_salts s ON s.item_id = i.id JOIN tasks k ON k.item_id = i.id`); n != 150 {
		t.Errorf("%d whole items", n)
	}
	if n := im.number(`SELECT count(*) FROM import_reservations`); n != 0 {
		t.Errorf("%d reservations were left", n)
	}
	originals := 0
	for _, err := range im.blobs.List(t.Context(), "items/") {
		if err != nil {
			t.Fatal(err)
		}
		originals++
	}
	if originals != 150 {
		t.Errorf("%d originals are stored", originals)
	}
}

// watch calls kill once the import has so many results, or once one of its originals was stored.
func (im *importing) watch(ctx context.Context, id int64, results int, kill func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			var n int
			err := im.pool.QueryRow(ctx, `
				SELECT (SELECT count(*) FROM import_results WHERE import_id = $1)
				     + (SELECT count(*) FROM import_reservations WHERE import_id = $1 AND $2 = 1)`, id, results).Scan(&n)
			if err == nil && n >= results {
				kill()
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}
