package jobs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"fiducial/internal/formats"
	"fiducial/internal/jobargs"
	"fiducial/internal/manifest"
	"fiducial/store"
	"fiducial/store/blob"
)

func TestSteelComesBackBoxForBox(t *testing.T) {
	t.Parallel()
	images, _ := steel(t)
	s := newShelf(t, "steel")
	for _, im := range images {
		s.put(t, im, nil)
	}
	version := s.freeze(t, "steel-test", "steel")
	if again := s.freeze(t, "steel-test", "steel"); !bytes.Equal(version.Hash, again.Hash) || version.Lines != len(images) {
		t.Fatalf("%d lines, hashes %x and %x", version.Lines, version.Hash, again.Hash)
	}
	coco, files := s.export(t, version, "coco", false)
	back := readCOCO(t, files)
	for _, im := range images {
		if got := back[im.Key]; !sameBoxes(got.Boxes, im.Boxes) || got.Width != im.Width || got.Height != im.Height {
			t.Fatalf("%s came back from COCO as %+v, was %+v", im.Key, got, im)
		}
	}
	voc, files := s.export(t, version, "voc", false)
	sets := 0
	for _, set := range []string{"train", "val", "test"} {
		sets += strings.Count(string(files["ImageSets/Main/"+set+".txt"]), "\n")
	}
	for _, im := range images {
		got, report, err := formats.ReadVOC(bytes.NewReader(files["Annotations/"+strings.TrimSuffix(im.Key, ".jpg")+".xml"]), 1)
		if err != nil || !report.Empty() || !sameBoxes(got.Boxes, im.Boxes) {
			t.Fatalf("%s came back from VOC as %+v, was %+v (%v)", im.Key, got, im, err)
		}
	}
	if len(back) != len(images) || sets != len(images) || coco.Losses != 0 || voc.Losses != 0 || strings.TrimSpace(string(files["report.json"])) != "{}" {
		t.Errorf("%d images by COCO, %d by VOC of %d; losses %d and %d", len(back), sets, len(images), coco.Losses, voc.Losses)
	}
}

func TestMediaGoWithTheLabels(t *testing.T) {
	t.Parallel()
	images, media := steel(t)
	s := newShelf(t, "steel")
	for _, im := range images[:40] {
		s.put(t, im, media(im))
	}
	version := s.freeze(t, "steel-test", "steel")
	export, files := s.export(t, version, "coco", true)
	for _, im := range images[:40] {
		if !bytes.Equal(files["images/"+im.Key], media(im)) {
			t.Errorf("images/%s is not the original", im.Key)
		}
	}
	again := s.add(t, version, "coco", true)
	if err := s.work(t.Context(), again, 1); err != nil {
		t.Fatal(err)
	}
	if again = s.look(t, again); again.ID == export.ID || !bytes.Equal(again.SHA256, export.SHA256) {
		t.Errorf("the same version, format and media gave archives of sha256 %x and %x", export.SHA256, again.SHA256)
	}
	_, files = s.export(t, version, "voc", true)
	if !bytes.Equal(files["JPEGImages/"+images[0].Key], media(images[0])) {
		t.Error("JPEGImages does not hold the original")
	}
}

func TestManifestGivesTheHashAgainAfterAnErasure(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "strip")
	box := []formats.Box{{Class: "pit", X: 1, Y: 2, W: 3, H: 4}}
	var items []int64
	for i := range 9 {
		items = append(items, s.put(t, formats.Image{Key: fmt.Sprintf("%d.jpg", i), Width: 9, Height: 9, Boxes: box}, nil))
	}
	version := s.freeze(t, "strip", "strip")
	if _, err := s.pool.Exec(t.Context(), `UPDATE dataset_lines
		SET item_id = NULL, truth_id = NULL, split = NULL, width = NULL, height = NULL WHERE item_id = $1`, items[3]); err != nil {
		t.Fatal(err)
	}
	export, files := s.export(t, version, "coco", false)
	var leaves []manifest.Leaf
	for scanner := bufio.NewScanner(bytes.NewReader(files["manifest.jsonl"])); scanner.Scan(); {
		var line manifestLine
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		leaf, err := hex.DecodeString(line.Leaf)
		if err != nil || line.Erased != (line.Item == 0) {
			t.Fatalf("%+v: %v", line, err)
		}
		leaves = append(leaves, manifest.Leaf(leaf))
	}
	slices.SortFunc(leaves, func(a, b manifest.Leaf) int { return bytes.Compare(a[:], b[:]) })
	var sum manifest.Sum
	for _, leaf := range leaves {
		if err := sum.Add(leaf); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(sum.Hash(), version.Hash) || len(leaves) != 9 {
		t.Errorf("%d leaves give %x, the version is %x", len(leaves), sum.Hash(), version.Hash)
	}
	if images := readCOCO(t, files); len(images) != 8 || export.Losses != 1 || bytes.Contains(files["manifest.jsonl"], []byte(`"3.jpg"`)) {
		t.Errorf("%d images, %d losses", len(images), export.Losses)
	}
}

func TestWhatAnArchiveCannotHoldIsReported(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "strip")
	box := []formats.Box{{Class: "pit", X: 1, Y: 2, W: 3, H: 4}}
	s.put(t, formats.Image{Key: "labels only.jpg", Width: 9, Height: 9, Boxes: box}, nil)
	s.put(t, formats.Image{Key: "../climbs.jpg", Width: 9, Height: 9, Boxes: box}, []byte("climbs"))
	turnedItem := s.put(t, formats.Image{Key: "turned.jpeg", Width: 9, Height: 9, Boxes: []formats.Box{{Class: "pit", X: 1, Y: 2, W: 3, H: 4, Rotation: 30}}}, nil)
	s.keep(t, turnedItem, "original", "image/jpeg", 6, []byte("on its side"))
	s.keep(t, turnedItem, "display", "image/png", 1, []byte("upright"))
	waits := s.put(t, formats.Image{Key: "waits.jpg", Width: 9, Height: 9, Boxes: box}, nil)
	s.keep(t, waits, "original", "image/jpeg", 3, []byte("upside down"))
	s.addProject(t, "pipes")
	s.put(t, formats.Image{Key: "turned.jpeg", Width: 9, Height: 9, Boxes: box}, []byte("another"))
	version := s.freeze(t, "both", "strip", "pipes")
	_, files := s.export(t, version, "coco", true)

	turnedName := fmt.Sprintf("strip/turned-%d.png", turnedItem)
	for name, content := range map[string]string{
		"images/" + turnedName: "upright", "images/pipes/turned.jpeg": "another", fmt.Sprintf("images/strip/item-%d", turnedItem-1): "climbs",
	} {
		if string(files[name]) != content {
			t.Errorf("%s holds %q, want %q", name, files[name], content)
		}
	}
	for name := range files {
		if strings.Contains(name, "..") {
			t.Errorf("%s climbs", name)
		}
	}
	var report formats.Report
	if err := json.Unmarshal(files["report.json"], &report); err != nil {
		t.Fatal(err)
	}
	want := map[formats.Kind]int{formats.Renamed: 2, formats.LeftOut: 2, formats.Rounded: 1, turned: 1}
	if fmt.Sprint(report.Counts) != fmt.Sprint(want) {
		t.Errorf("losses %v, want %v\n%s", report.Counts, want, files["report.json"])
	}
	var document struct {
		Categories []formats.COCOCategory
		Images     []struct {
			FileName string `json:"file_name"`
		}
	}
	for _, split := range manifest.Splits() {
		content := files[fmt.Sprintf("annotations/%s.json", split)]
		if content == nil {
			continue
		}
		if err := json.Unmarshal(content, &document); err != nil {
			t.Fatal(err)
		}
		if len(document.Categories) != 1 || document.Categories[0].ID < 1 {
			t.Errorf("classes of one name in two projects became %+v", document.Categories)
		}
	}
}

// An export that is cut off leaves no archive, and the next try writes the same as if nothing had been.
func TestExportCutOffStartsAnew(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "strip")
	noise := bytes.Repeat([]byte("grain"), 2000)
	for i := range 60 {
		im := formats.Image{Key: fmt.Sprintf("%d.jpg", i), Width: 9, Height: 9, Boxes: []formats.Box{{Class: "pit", X: 1, Y: 2, W: 3, H: 4}}}
		s.put(t, im, append(noise, byte(i)))
	}
	version := s.freeze(t, "strip", "strip")
	whole, _ := s.export(t, version, "coco", true)
	export := s.add(t, version, "coco", true)
	for after := 2 * time.Millisecond; ; after *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		err := s.work(ctx, export, 1)
		cancel()
		if err == nil {
			break
		}
		// Cut off right before it says that it is done, it leaves the whole.
		if left, err := s.blobs.Stat(t.Context(), export.Blob()); err == nil && left.Size != whole.Bytes || err != nil && !errors.Is(err, blob.ErrNotFound) {
			t.Fatalf("cut off after %v it left %d bytes of an archive (%v)", after, left.Size, err)
		}
	}
	if export = s.look(t, export); export.State != store.ExportDone || !bytes.Equal(export.SHA256, whole.SHA256) {
		t.Errorf("%+v, want sha256 %x", export, whole.SHA256)
	}
}

func TestExportOfAnotherImageFailsForGood(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(*testing.T, *shelf, int64){
		"replaced": func(t *testing.T, s *shelf, item int64) {
			t.Helper()
			s.upload(t, item, "original", []byte("other"))
		},
		"missing": func(t *testing.T, s *shelf, item int64) {
			t.Helper()
			if err := s.blobs.Delete(t.Context(), fmt.Sprintf("items/%d/original", item)); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf(t, "strip")
			item := s.put(t, formats.Image{Key: "1.jpg", Width: 9, Height: 9}, []byte("strip"))
			version := s.freeze(t, "strip", "strip")
			damage(t, s, item)
			export := s.add(t, version, "voc", true)
			if err := s.work(t.Context(), export, 1); err == nil {
				t.Error("the export went through")
			}
			if export = s.look(t, export); export.State != store.ExportFailed || !strings.Contains(export.Error, fmt.Sprint(item)) {
				t.Errorf("%+v", export)
			}
			v, err := s.store.Verify(t.Context(), store.System(), version, true)
			if err != nil {
				t.Fatal(err)
			}
			job := &river.Job[jobargs.VerifyVersion]{JobRow: &rivertype.JobRow{Attempt: 1, MaxAttempts: 3}, Args: jobargs.VerifyVersion{VerificationID: v.ID}}
			if err := (&verifyVersion{deps: s.deps}).Work(t.Context(), job); err != nil {
				t.Fatal(err)
			}
			if v, _, err = s.store.Verification(t.Context(), store.System(), v.ID); err != nil || v.Holds() || v.Findings[0].Reason != store.FoundBrokenMedia {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
}

func TestExportGivesUpAfterItsLastTry(t *testing.T) {
	t.Parallel()
	s := newShelf(t, "strip")
	s.put(t, formats.Image{Key: "1.jpg", Width: 9, Height: 9}, nil)
	export := s.add(t, s.freeze(t, "strip", "strip"), "coco", false)
	// Where the archive should lie is a folder.
	if _, err := s.blobs.Put(t.Context(), export.Blob()+"/in-the-way", strings.NewReader("x"), 1, "text/plain"); err != nil {
		t.Fatal(err)
	}
	for attempt := 1; attempt <= datasetAttempts; attempt++ {
		if export = s.look(t, export); export.State == store.ExportFailed {
			t.Fatalf("given up after try %d", attempt-1)
		}
		if err := s.work(t.Context(), export, attempt); err == nil {
			t.Fatal("written into nowhere")
		}
	}
	if export = s.look(t, export); export.State != store.ExportFailed || export.Error == "" {
		t.Errorf("%+v", export)
	}
	if err := s.work(t.Context(), export, 1); err != nil {
		t.Errorf("a failed export is tried again: %v", err)
	}
}
