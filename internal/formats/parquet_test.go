package formats_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"fiducial/internal/formats"
)

var parquetSet = formats.Set{Name: "steel: \"hot\"", Version: "3", Hash: "0f", Created: time.Date(2026, 4, 1, 8, 0, 0, 0, time.UTC)}

func parquetItems() []formats.Item {
	return []formats.Item{
		{
			ID: 7, Name: "line 9/é.jpg", Split: "training", Media: "00ff", Definitions: []int{2, 0},
			Image: formats.Image{Key: "line 9/é.jpg", Width: 200, Height: 100, Boxes: []formats.Box{
				{Class: "pit", X: 0.1, Y: 1. / 3, W: 30, H: 4},
				{Class: "scratch", X: 10, Y: 10, W: 20, H: 20, Rotation: 90, Crowd: true},
			}},
		},
		{ID: 8, Name: "negative.jpg", Split: "test", Image: formats.Image{Key: "negative-8.jpg", Width: 9, Height: 9}},
		{ID: 9, Name: "size unknown", Split: "test", Image: formats.Image{Key: "u", Boxes: []formats.Box{{Class: "pit", X: 1, W: 2, H: 3}}}},
	}
}

func yieldAll(items []formats.Item) iter.Seq2[formats.Item, error] {
	return func(yield func(formats.Item, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// readParquet reads a file with a reader that shares no code with the writer: hyparquet under Node.
func readParquet(t *testing.T, content []byte) (file struct {
	Rows []map[string]any
	Keys map[string]string
	Tree string
},
) {
	t.Helper()
	if _, err := os.Stat("../../node_modules/hyparquet"); err != nil {
		t.Skip("skipped: hyparquet is not installed (npm ci)")
	}
	name := filepath.Join(t.TempDir(), "rows.parquet")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "node", "testdata/parquet/read.mjs", name).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := json.Unmarshal(out, &file); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

func TestParquetHoldsAllOfAnItem(t *testing.T) {
	t.Parallel()
	var out, again bytes.Buffer
	for _, w := range []io.Writer{&out, &again} {
		if err := formats.WriteParquet(w, parquetSet, yieldAll(parquetItems())); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Error("the same items gave other bytes")
	}
	file := readParquet(t, out.Bytes())
	box := func(class string, definition any, x, y, w, h, rotation float64, crowd bool) any {
		return map[string]any{
			"class": class, "class_definition": definition, "x": x, "y": y, "width": w, "height": h, "rotation": rotation, "crowd": crowd,
		}
	}
	want := []map[string]any{
		{
			"item": 7., "key": "line 9/é.jpg", "file": "line 9/é.jpg", "split": "training", "media_sha256": "00ff", "width": 200., "height": 100.,
			"boxes": []any{box("pit", 2., 0.1, 1./3, 30, 4, 0, false), box("scratch", nil, 10, 10, 20, 20, 90, true)},
		},
		{
			"item": 8., "key": "negative.jpg", "file": "negative-8.jpg", "split": "test", "media_sha256": nil, "width": 9., "height": 9.,
			"boxes": []any{},
		},
		{
			"item": 9., "key": "size unknown", "file": "u", "split": "test", "media_sha256": nil, "width": nil, "height": nil,
			"boxes": []any{box("pit", nil, 1, 0, 2, 3, 0, false)},
		},
	}
	if diff := cmp.Diff(want, file.Rows); diff != "" {
		t.Error(diff)
	}
	keys := map[string]string{"dataset": parquetSet.Name, "version": "3", "sha256": "0f", "frozen_at": "2026-04-01T08:00:00Z"}
	if diff := cmp.Diff(keys, file.Keys); diff != "" {
		t.Error(diff)
	}
}

func writeDatasets(t *testing.T, h *formats.HuggingFace, items []formats.Item, images map[int64][]byte) ([]byte, formats.Report) {
	t.Helper()
	var out bytes.Buffer
	file := h.NewFile(&out)
	for _, item := range items {
		if err := file.Write(item, images[item.ID]); err != nil {
			t.Fatal(err)
		}
	}
	report, err := file.Close()
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), report
}

func TestHuggingFaceRows(t *testing.T) {
	t.Parallel()
	items := parquetItems()
	items[2].Boxes = append(items[2].Boxes, formats.Box{Class: "rust"}, formats.Box{Class: "pit", X: math.Inf(1)})
	h := formats.NewHuggingFace(parquetSet, []string{"scratch", "pit"}, true)
	content, report := writeDatasets(t, h, items, map[int64][]byte{7: []byte("jpeg")})
	file := readParquet(t, content)
	want := []map[string]any{
		{
			"image":    map[string]any{"bytes": "6a706567", "path": "line 9/é.jpg"},
			"image_id": 7., "file_name": "line 9/é.jpg", "width": 200., "height": 100.,
			"objects": map[string]any{
				"bbox":       []any{[]any{0.1, 1. / 3, 30., 4.}, []any{10., 10., 20., 20.}},
				"categories": []any{1., 0.}, "area": []any{120., 400.}, "iscrowd": []any{false, true}, "rotation": []any{0., 90.},
			},
		},
		{
			"image": nil, "image_id": 8., "file_name": "negative-8.jpg", "width": 9., "height": 9.,
			"objects": map[string]any{"bbox": []any{}, "categories": []any{}, "area": []any{}, "iscrowd": []any{}, "rotation": []any{}},
		},
		{
			"image": nil, "image_id": 9., "file_name": "u", "width": nil, "height": nil,
			"objects": map[string]any{
				"bbox": []any{[]any{1., 0., 2., 3.}}, "categories": []any{1.}, "area": []any{6.}, "iscrowd": []any{false}, "rotation": []any{0.},
			},
		},
	}
	if diff := cmp.Diff(want, file.Rows); diff != "" {
		t.Error(diff)
	}
	if fmt.Sprint(report.Counts) != "map[refused:2 rounded:1]" {
		t.Errorf("%+v", report)
	}
	// The library takes the types from here when somebody loads the file alone; it wants everything nullable for that.
	const features = `{"info":{"features":{"file_name":{"_type":"Value","dtype":"string"},"height":{"_type":"Value","dtype":"int32"},` +
		`"image":{"_type":"Image"},"image_id":{"_type":"Value","dtype":"int64"},"objects":{` +
		`"area":{"_type":"Sequence","feature":{"_type":"Value","dtype":"float64"},"length":-1},` +
		`"bbox":{"_type":"Sequence","feature":{"_type":"Sequence","feature":{"_type":"Value","dtype":"float64"},"length":-1},"length":-1},` +
		`"categories":{"_type":"Sequence","feature":{"_type":"ClassLabel","names":["scratch","pit"]},"length":-1},` +
		`"iscrowd":{"_type":"Sequence","feature":{"_type":"Value","dtype":"bool"},"length":-1},` +
		`"rotation":{"_type":"Sequence","feature":{"_type":"Value","dtype":"float64"},"length":-1}},` +
		`"width":{"_type":"Value","dtype":"int32"}}}}`
	if diff := cmp.Diff(features, file.Keys["huggingface"]); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(file.Tree, "REQUIRED") {
		t.Errorf("a column cannot be null:\n%s", file.Tree)
	}
}

func TestHuggingFaceHead(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	h := formats.NewHuggingFace(parquetSet, []string{"scratch", `say "é"`}, true)
	if err := h.WriteHead(&b, []string{"training", "test"}); err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/parquet/head.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(golden), b.String()); diff != "" {
		t.Error(diff)
	}
	if h.File("validation", 12) != "data/validation-00012.parquet" {
		t.Error(h.File("validation", 12))
	}
	b.Reset()
	if err := formats.NewHuggingFace(parquetSet, nil, false).WriteHead(&b, []string{"test"}); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); strings.Contains(text, "class_label") || strings.Contains(text, "dtype: image") {
		t.Errorf("without classes and images:\n%s", text)
	}
}

// Memory holds one row group, however many items there are. It runs alone: other tests' memory is not to be counted.
func TestParquetIsWrittenInBoundedMemory(t *testing.T) {
	const items = 100_000
	var file countedFile
	boxes := parquetItems()[0].Boxes
	before := heap()
	peak := uint64(0)
	err := formats.WriteParquet(&file, parquetSet, func(yield func(formats.Item, error) bool) {
		for i := range items {
			item := formats.Item{ID: int64(i + 1), Name: fmt.Sprintf("%07d.jpg", i), Split: "training", Media: fmt.Sprintf("%064x", i)}
			item.Image = formats.Image{Key: item.Name, Width: 200, Height: 200, Boxes: boxes}
			if !yield(item, nil) {
				return
			}
			if i%10_000 == 9999 {
				peak = max(peak, heap())
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if grown := int64(peak) - int64(before); grown > 64<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
	if file.size < 1<<20 {
		t.Errorf("%d bytes", file.size)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

type countedFile struct{ size int64 }

func (f *countedFile) Write(p []byte) (int, error) {
	f.size += int64(len(p))
	return len(p), nil
}

// Many images in one file are many row groups.
func TestHuggingFaceBoundsItsRowGroups(t *testing.T) {
	t.Parallel()
	h := formats.NewHuggingFace(parquetSet, nil, true)
	image := bytes.Repeat([]byte("grain"), 1<<20)
	var items []formats.Item
	images := map[int64][]byte{}
	for i := range int64(14) {
		items = append(items, formats.Item{ID: i + 1, Image: formats.Image{Key: fmt.Sprint(i)}})
		images[i+1] = image
	}
	content, _ := writeDatasets(t, h, items, images)
	file, err := parquet.OpenFile(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	if overhead := len(content) - 14*len(image); overhead > 10_000 {
		t.Errorf("%d bytes beside the images", overhead)
	}
	if groups := len(file.RowGroups()); groups != 2 || file.NumRows() != 14 {
		t.Errorf("%d row groups, %d rows", groups, file.NumRows())
	}
}
