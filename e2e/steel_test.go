package e2e

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// steelFolder is where the photographs of steel lie. They belong to others and are not in the repository.
func steelFolder(t *testing.T) string {
	t.Helper()
	return realData(t, "steel")
}

// realData is a folder of real data, which belong to others and are not in the repository.
func realData(t *testing.T, name string) string {
	t.Helper()
	data := os.Getenv("FIDUCIAL_TEST_DATA")
	if data == "" {
		root, err := projectRoot()
		if err != nil {
			t.Fatal(err)
		}
		data = filepath.Join(root, "..", "shared", "data")
	}
	folder := filepath.Join(data, name)
	if _, err := os.Stat(folder); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("real data of %s are not here; name their folder by FIDUCIAL_TEST_DATA: %v", name, err)
	}
	return folder
}

// steel are the files of these pictures, with their labels: name in an archive to content.
func steel(t *testing.T, names ...string) map[string][]byte {
	t.Helper()
	folder, files := steelFolder(t), map[string][]byte{}
	for _, name := range names {
		for _, file := range []string{"images/" + name + ".jpg", "annotations/" + name + ".xml"} {
			content, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(file)))
			if err != nil {
				t.Fatal(err)
			}
			files[file] = content
		}
	}
	return files
}

// writeZip writes an archive of files.
func writeZip(t *testing.T, files map[string][]byte) string {
	t.Helper()
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for name, content := range files {
		entry, err := archive.Create(name)
		if err == nil {
			_, err = entry.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "strips.zip")
	if err := os.WriteFile(name, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// writeFolder writes files into a folder.
func writeFolder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		writeFile(t, dir, name, content)
	}
	return dir
}

// writeFile writes a file below a folder.
func writeFile(tb testing.TB, dir, name string, content []byte) {
	tb.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// vocBoxes reads Pascal VOC's boxes, whose corners are counted from 1 and belong to the box.
func vocBoxes(t *testing.T, content []byte) (boxes []drawn) {
	t.Helper()
	var label struct {
		Objects []struct {
			Name string `xml:"name"`
			Box  struct {
				XMin float64 `xml:"xmin"`
				YMin float64 `xml:"ymin"`
				XMax float64 `xml:"xmax"`
				YMax float64 `xml:"ymax"`
			} `xml:"bndbox"`
		} `xml:"object"`
	}
	if err := xml.Unmarshal(content, &label); err != nil {
		t.Fatal(err)
	}
	for _, o := range label.Objects {
		b := o.Box
		boxes = append(boxes, drawn{Class: o.Name, X: b.XMin - 1, Y: b.YMin - 1, W: b.XMax - b.XMin + 1, H: b.YMax - b.YMin + 1})
	}
	return boxes
}

// readZip returns the files of an archive after proving each by checksums.txt.
func readZip(t *testing.T, name string) map[string][]byte {
	t.Helper()
	archive, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = archive.Close() }() // it was only read
	files := map[string][]byte{}
	for _, entry := range archive.File {
		content, err := entry.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[entry.Name], err = io.ReadAll(content); err != nil {
			t.Fatal(err)
		}
	}
	checked := 0
	for line := range strings.Lines(string(files["checksums.txt"])) {
		sum, file, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if got := sha256.Sum256(files[file]); hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s: %s is not what checksums.txt says", name, file)
		}
		checked++
	}
	if checked != len(files)-1 {
		t.Errorf("%s: %d checksums for %d files", name, checked, len(files)-1)
	}
	return files
}

// cocoBoxes reads the boxes of all COCO files of an archive by the picture's own name.
func cocoBoxes(t *testing.T, files map[string][]byte) map[string][]drawn {
	t.Helper()
	boxes := map[string][]drawn{}
	for name, content := range files {
		if !strings.HasPrefix(name, "annotations/") {
			continue
		}
		var coco struct {
			Images []struct {
				ID       int64
				FileName string `json:"file_name"`
			}
			Categories []struct {
				ID   int64
				Name string
			}
			Annotations []struct {
				ImageID    int64 `json:"image_id"`
				CategoryID int64 `json:"category_id"`
				Bbox       [4]float64
			}
		}
		if err := json.Unmarshal(content, &coco); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		pictures, classes := map[int64]string{}, map[int64]string{}
		for _, image := range coco.Images {
			pictures[image.ID] = path.Base(image.FileName)
			boxes[pictures[image.ID]] = nil
		}
		for _, category := range coco.Categories {
			classes[category.ID] = category.Name
		}
		for _, a := range coco.Annotations {
			b := a.Bbox
			boxes[pictures[a.ImageID]] = append(boxes[pictures[a.ImageID]], drawn{Class: classes[a.CategoryID], X: b[0], Y: b[1], W: b[2], H: b[3]})
		}
	}
	return boxes
}
