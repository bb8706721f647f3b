package jobs

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fiducial/internal/formats"
)

// parquetRow is a row of both columnar formats.
type parquetRow struct {
	Key, File, Split string
	Media            *string `json:"media_sha256"`
	Boxes            []struct {
		Class                         string
		X, Y, Width, Height, Rotation float64
		Crowd                         bool
	}

	FileName string `json:"file_name"`
	Image    *struct{ Bytes, Path string }
	Objects  struct {
		BBox       [][4]float64
		Categories []int
		IsCrowd    []bool
	}
}

// parquetRows reads a file with hyparquet, which shares no code with what writes it.
func parquetRows(t *testing.T, content []byte) (rows []parquetRow) {
	t.Helper()
	if _, err := os.Stat("../node_modules/hyparquet"); err != nil {
		t.Skip("skipped: hyparquet is not installed (npm ci)")
	}
	name := filepath.Join(t.TempDir(), "rows.parquet")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "node", "../internal/formats/testdata/parquet/read.mjs", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	file := struct{ Rows *[]parquetRow }{&rows}
	if err := json.Unmarshal(out, &file); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestSteelComesBackFromParquet(t *testing.T) {
	t.Parallel()
	images, media := steel(t)
	images = images[:60]
	s := newShelf(t, "steel")
	for _, im := range images {
		s.put(t, im, media(im))
	}
	version := s.freeze(t, "steel-test", "steel")
	export, files := s.export(t, version, "parquet", true)
	back := map[string]formats.Image{}
	for _, split := range []string{"training", "validation", "test"} {
		for _, row := range parquetRows(t, files["annotations/"+split+".parquet"]) {
			im := formats.Image{Key: row.Key, Boxes: []formats.Box{}}
			for _, b := range row.Boxes {
				im.Boxes = append(im.Boxes, formats.Box{Class: b.Class, X: b.X, Y: b.Y, W: b.Width, H: b.Height, Rotation: b.Rotation, Crowd: b.Crowd})
			}
			back[row.Key] = im
			if row.Split != split || row.Media == nil || files["images/"+row.File] == nil {
				t.Fatalf("%+v", row)
			}
		}
	}
	for _, im := range images {
		if !sameBoxes(back[im.Key].Boxes, im.Boxes) {
			t.Errorf("%s came back as %+v, was %+v", im.Key, back[im.Key], im)
		}
	}
	if len(back) != len(images) || export.Losses != 0 {
		t.Errorf("%d images of %d, %d losses", len(back), len(images), export.Losses)
	}
}

func TestHuggingFaceFolder(t *testing.T) {
	t.Parallel()
	images, media := steel(t)
	images = images[:60]
	s := newShelf(t, "steel")
	for _, im := range images {
		s.put(t, im, media(im))
	}
	nothing := s.put(t, formats.Image{Key: "labels only.jpg", Width: 9, Height: 9, Labeled: true}, nil)
	version := s.freeze(t, "steel-test", "steel")
	export, files := s.export(t, version, "huggingface", true)
	head, _, _ := strings.Cut(strings.TrimPrefix(string(files["README.md"]), "---\n"), "\n---\n")
	names := classesOfHead(head)
	found := 0
	for _, split := range []string{"train", "validation", "test"} {
		if !strings.Contains(head, "  - split: "+split+"\n    path: data/"+split+"-*.parquet\n") {
			t.Errorf("no %s in\n%s", split, head)
		}
		for _, row := range parquetRows(t, files["data/"+split+"-00000.parquet"]) {
			if row.Image == nil {
				continue
			}
			found++
			for _, im := range images {
				if im.Key == row.FileName {
					sameRow(t, im, row, names, media(im))
				}
			}
		}
	}
	if found != len(images) || export.Losses != 1 || len(files["images/"+images[0].Key]) != 0 {
		t.Errorf("%d images of %d, %d losses (item %d has no image)", found, len(images), export.Losses, nothing)
	}
	_, files = s.export(t, version, "huggingface", false)
	if strings.Contains(string(files["README.md"]), "dtype: image") || len(parquetRows(t, files["data/train-00000.parquet"])) == 0 {
		t.Error("without images")
	}
}

// classesOfHead are the class names that the head of a README.md numbers.
func classesOfHead(head string) (names []string) {
	for line := range strings.Lines(head) {
		number, name, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if ok && strings.HasPrefix(number, "'") {
			names = append(names, strings.Trim(name, `"`))
		}
	}
	return names
}

func sameRow(t *testing.T, im formats.Image, row parquetRow, names []string, media []byte) {
	t.Helper()
	if row.Image.Bytes != hexOf(media) || row.Image.Path != im.Key {
		t.Errorf("%s has another image: %s", im.Key, row.Image.Path)
	}
	boxes := []formats.Box{}
	for i, b := range row.Objects.BBox {
		boxes = append(boxes, formats.Box{Class: names[row.Objects.Categories[i]], X: b[0], Y: b[1], W: b[2], H: b[3], Crowd: row.Objects.IsCrowd[i]})
	}
	if !sameBoxes(im.Boxes, boxes) {
		t.Errorf("%s came back as %+v, was %+v", im.Key, boxes, im.Boxes)
	}
}
