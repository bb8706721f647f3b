package jobs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"fiducial/store"
)

// keys lists the items as "key width×height truth", truth being the number of boxes, or "-" for an item that nobody labeled.
func (im *importing) keys() []string {
	im.Helper()
	rows, err := im.pool.Query(im.Context(), `
		SELECT x.external_key || ' ' || coalesce(i.width || '×' || i.height, '?') || ' ' ||
			coalesce((SELECT (SELECT count(*) FROM truth_boxes b WHERE b.truth_id = t.id)::text FROM truths t WHERE t.item_id = i.id AND t.current), '-')
		FROM items i JOIN item_texts x ON x.item_id = i.id ORDER BY x.external_key`)
	im.must(err)
	defer rows.Close()
	var keys []string
	for rows.Next() {
		var key string
		im.must(rows.Scan(&key))
		keys = append(keys, key)
	}
	im.must(rows.Err())
	return keys
}

func (im *importing) wantKeys(want ...string) {
	im.Helper()
	if got := im.keys(); !slices.Equal(got, want) {
		im.Errorf("got  %q\nwant %q", got, want)
	}
}

const yoloBox = "0 0.5 0.5 0.1 0.2\n"

func TestYOLOInEveryLayout(t *testing.T) {
	t.Parallel()
	a, b, c := picture(t, 20, 10, 1), picture(t, 30, 10, 2), picture(t, 40, 10, 3)
	names := []byte("names: [scratch, pit]\n")
	for name, tt := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"images/train": {
			map[string]string{
				"data.yaml": "names", "images/train/x/1.png": "a", "labels/train/x/1.txt": yoloBox, "images/val/1.png": "b", "labels/val/1.txt": "", "images/val/2.png": "c",
				"README.txt": "not labels", "train.txt": "./images/train/x/1.png\n", "labels/train.cache": "x",
			},
			[]string{"train/x/1.png 20×10 1", "val/1.png 30×10 0", "val/2.png 40×10 -"},
		},
		"train/images": {
			map[string]string{
				"data.yaml": "names", "train/images/1.jpg.rf.9f.png": "a", "train/labels/1.jpg.rf.9f.txt": yoloBox, "valid/images/1.jpg.rf.9f.png": "b",
				"valid/labels/1.jpg.rf.9f.txt": "1 0.1 0.2 0.3 0.2 0.3 0.4 0.1 0.4\n" + yoloBox, "README.roboflow.txt": "x", "README.dataset.txt": "x",
			},
			[]string{"train/1.jpg.rf.9f.png 20×10 1", "valid/1.jpg.rf.9f.png 30×10 2"},
		},
		"beside": {
			map[string]string{"obj.names": "scratch\npit\n", "obj.data": "classes = 2", "obj_train_data/1.png": "a", "obj_train_data/1.txt": yoloBox, "train.txt": "x"},
			[]string{"obj_train_data/1.png 20×10 1"},
		},
		"with notes": {
			map[string]string{"classes.txt": "scratch", "notes.json": "{}", "images/1.png": "a", "labels/1.txt": yoloBox},
			[]string{"1.png 20×10 1"},
		},
		"two sets": {
			map[string]string{
				"one/data.yaml": "names", "one/images/1.png": "a", "one/labels/1.txt": "1 0.5 0.5 0.1 0.2", "two/data.yml": "names: {1: pit}", "two/images/1.png": "b", "two/labels/1.txt": "1 0.5 0.5 0.1 0.2",
			},
			[]string{"one/1.png 20×10 1", "two/1.png 30×10 1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			im := newImporting(t)
			files := map[string][]byte{}
			for name, content := range tt.files {
				switch content {
				case "a":
					files[name] = a
				case "b":
					files[name] = b
				case "c":
					files[name] = c
				case "names":
					files[name] = names
				default:
					files[name] = []byte(content)
				}
			}
			counts, results := im.run(truthIn(store.FormatYOLO), files)
			if counts.Refused+counts.Lost != 0 {
				t.Errorf("%+v %v", counts, refusals(results))
			}
			im.wantKeys(tt.want...)
			if again, results := im.run(truthIn(store.FormatYOLO), files); again.Unchanged != len(tt.want) || again.Total() != len(tt.want) {
				t.Errorf("imported again: %+v %v", again, refusals(results))
			}
		})
	}
}

func TestYOLOLabelsFindTheirItems(t *testing.T) {
	t.Parallel()
	im := newImporting(t)
	im.run(mediaOnly(), map[string][]byte{"coil/1.png": picture(t, 20, 10, 1), "coil/2.png": picture(t, 30, 10, 2), "other/2.png": picture(t, 40, 10, 3)})
	labels := map[string][]byte{
		"data.yaml": []byte("names: [scratch]"), "labels/train/coil/1.txt": []byte(yoloBox + "0 1.2 0.5 0.1 0.1\n0 0.99 0.5 0.1 0.1\nx"), "labels/val/coil/2.txt": nil,
		"labels/val/2.txt": []byte(yoloBox), "labels/val/nowhere.txt": []byte(yoloBox), "labels/val/nothing.txt": nil,
	}
	counts, results := im.run(truthIn(store.FormatYOLO), labels)
	expect(t, results,
		"changed labels/train/coil/1.txt", "changed labels/val/coil/2.txt", "refused labels/train/coil/1.txt: line 2", "lost labels/train/coil/1.txt: line 3",
		"refused labels/train/coil/1.txt: line 4", "refused labels/val/2.txt", "refused labels/val/nowhere.txt", "refused labels/val/nothing.txt")
	im.wantKeys("coil/1.png 20×10 2", "coil/2.png 30×10 0", "other/2.png 40×10 -")
	if again, _ := im.run(truthIn(store.FormatYOLO), labels); again.Unchanged != 2 || again.Changed != 0 {
		t.Errorf("first %+v, then %+v", counts, again)
	}
	_, results = im.run(truthIn(store.FormatYOLO), map[string][]byte{"labels/other/2.txt": []byte(yoloBox), "3.png": picture(t, 20, 20, 4), "3.txt": []byte(yoloBox)})
	for _, r := range results {
		if r.Outcome == store.OutcomeRefused && !strings.Contains(r.Reason, "no names of the classes") {
			t.Errorf("%+v", r)
		}
	}
	expect(t, results, "refused labels/other/2.txt", "refused 3.txt", "added 3.png")
}

func TestLabelStudioTasksFindTheirPictures(t *testing.T) {
	t.Parallel()
	im := newImporting(t)
	task := func(image, annotations string) string {
		return fmt.Sprintf(`{"data":{"image":%q},"annotations":[%s]}`, image, annotations)
	}
	region := func(size string) string {
		return `{"result":[{"id":"r","type":"rectanglelabels",` + size + `"value":{"x":10,"y":10,"width":10,"height":20,"rotation":0,"rectanglelabels":["pit"]}}]}`
	}
	const sized = `"original_width":20,"original_height":10,`
	tasks := "[" + strings.Join([]string{
		task("/data/upload/1/0a1b2c3d-named.png", region(sized)), task("/data/upload/1/0a1b2c3e-prefixed.png", region("")),
		task("/data/local-files/?d=coil+7/x.png", `{"result":[]}`), task("s3://bucket/skipped.png", `{"was_cancelled":true,"result":[]}`),
		task("s3://bucket/away.png", region(sized)), task("s3://bucket/far.png", region("")), task("open.png", ""),
	}, ",") + "]"
	files := map[string][]byte{
		"tasks.json": []byte(tasks), "named.png": picture(t, 20, 10, 1), "0a1b2c3e-prefixed.png": picture(t, 40, 10, 2), "coil 7/x.png": picture(t, 20, 10, 3),
		"skipped.png": picture(t, 20, 10, 4), "open.png": picture(t, 20, 10, 5),
	}
	counts, results := im.run(truthIn(store.FormatLabelStudio), files)
	if counts.Refused != 1 || counts.Lost != 1 || counts.Added != 6 {
		t.Errorf("%+v %v", counts, refusals(results))
	}
	im.wantKeys("away.png 20×10 1", "coil 7/x.png 20×10 0", "named.png 20×10 1", "open.png 20×10 -", "prefixed.png 40×10 1", "skipped.png 20×10 -")
	if again, results := im.run(truthIn(store.FormatLabelStudio), files); again.Unchanged != 6 || again.Changed+again.Added != 0 {
		t.Errorf("imported again: %+v %v", again, refusals(results))
	}
}

func TestCVATComesInWithItsPictures(t *testing.T) {
	t.Parallel()
	im := newImporting(t)
	document := `<annotations><image name="coil/a.png" width="20" height="10"><box label="pit" xtl="1" ytl="1" xbr="5" ybr="5" occluded="1" rotation="30"/></image>
		<image name="coil/b.png" width="20" height="10"/><image name="c.png" width="99" height="10"><box label="pit" xtl="1" ytl="1" xbr="5" ybr="5"/></image>`
	files := map[string][]byte{
		"annotations.xml": []byte(document), "images/coil/a.png": picture(t, 20, 10, 1), "images/coil/b.png": picture(t, 20, 10, 2), "images/c.png": picture(t, 20, 10, 3),
		"images/d.png": picture(t, 20, 10, 4),
	}
	_, results := im.run(truthIn(store.FormatCVAT), files)
	expect(t, results, "added images/coil/a.png", "added images/coil/b.png", "added images/c.png", "added images/d.png", "refused annotations.xml: c.png",
		"refused annotations.xml", "lost All labels") // the file is cut off, and what came before is in
	im.wantKeys("c.png 20×10 -", "coil/a.png 20×10 1", "coil/b.png 20×10 0", "images/d.png 20×10 -")
	prefill := store.NewImport{Format: store.FormatCVAT, Purpose: store.PurposePrefill, Options: store.ImportOptions{VOCBase: 1}}
	_, results = im.run(prefill, map[string][]byte{"annotations.xml": []byte(strings.NewReplacer(`xbr="5"`, `xbr="50"`, ` rotation="30"`, "").Replace(document) + "</annotations>")})
	expect(t, results, "changed annotations.xml: coil/a.png", "changed annotations.xml: coil/b.png", "refused annotations.xml: c.png", "lost All labels")
}
