package formats_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fiducial/internal/formats"
)

var update = flag.Bool("update", false, "write the outputs of the golden files anew")

// A golden file holds its inputs and its output, each under a line "-- name --".
func TestGolden(t *testing.T) {
	t.Parallel()
	runs := map[string]func(in map[string]string) (string, error){
		"coco":    goldenCOCO,
		"results": goldenResults,
		"voc":     goldenVOC,
		"write":   goldenWrite,

		"cvat":              goldenCVAT,
		"labelstudio":       goldenLabelStudio,
		"write_labelstudio": goldenWriteLabelStudio,

		"yolo":       goldenYOLO,
		"write_yolo": goldenWriteYOLO,
		"write_cvat": goldenWriteCVAT,
	}
	for kind, run := range runs {
		paths, err := filepath.Glob(filepath.Join("testdata", kind, "*.golden"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no golden files of %s: %v", kind, err)
		}
		for _, path := range paths {
			t.Run(path, func(t *testing.T) {
				t.Parallel()
				raw, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				input, want, _ := strings.Cut(string(raw), "-- output --\n")
				got, err := run(sections(input))
				if err != nil {
					got += "error: " + err.Error() + "\n"
				}
				if *update {
					if err := os.WriteFile(path, []byte(input+"-- output --\n"+got), 0o644); err != nil {
						t.Fatal(err)
					}
					return
				}
				if got != want {
					t.Errorf("got:\n%s\nwant:\n%s", got, want)
				}
			})
		}
	}
}

func sections(text string) map[string]string {
	parts := map[string]string{}
	name := ""
	for line := range strings.Lines(text) {
		if title, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok && strings.HasSuffix(title, " --") {
			name = strings.TrimSuffix(title, " --")
			continue
		}
		parts[name] += line
	}
	return parts
}

func goldenCOCO(in map[string]string) (string, error) {
	var out strings.Builder
	report, err := formats.ReadCOCO(strings.NewReader(in["input"]), describeTo(&out))
	describeReport(&out, report)
	return out.String(), err
}

func goldenResults(in map[string]string) (string, error) {
	var out strings.Builder
	report, err := formats.ReadCOCOResults(strings.NewReader(in["truth"]), strings.NewReader(in["results"]), describeTo(&out))
	describeReport(&out, report)
	return out.String(), err
}

func goldenVOC(in map[string]string) (string, error) {
	var out strings.Builder
	for base := 1; base >= 0; base-- {
		fmt.Fprintf(&out, "base %d\n", base)
		im, report, err := formats.ReadVOC(strings.NewReader(in["input"]), base)
		if err != nil {
			return out.String(), err
		}
		if err := describeTo(&out)(im); err != nil {
			return out.String(), err
		}
		describeReport(&out, report)
	}
	return out.String(), nil
}

// goldenCVAT reads a document as truth, and again as it is written.
func goldenCVAT(in map[string]string) (string, error) {
	var out strings.Builder
	var failed error
	for _, asWritten := range []bool{false, true} {
		fmt.Fprintf(&out, "as written: %v\n", asWritten)
		report, err := formats.ReadCVAT(strings.NewReader(in["input"]), asWritten, describeTo(&out))
		describeReport(&out, report)
		failed = err
	}
	return out.String(), failed
}

func goldenLabelStudio(in map[string]string) (string, error) {
	var out strings.Builder
	describe := describeTo(&out)
	report, err := formats.ReadLabelStudio(strings.NewReader(in["input"]), false, func(im formats.Image) error {
		if im.Fractions == nil {
			return describe(im)
		}
		sized, report := im.Fractions.Pixels(im.Key, 200, 100, false)
		fmt.Fprintln(&out, "of unknown size, in 200×100:")
		describeReport(&out, report)
		return describe(sized)
	})
	describeReport(&out, report)
	return out.String(), err
}

func goldenWriteLabelStudio(in map[string]string) (string, error) {
	images, err := imagesOf(in)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	classes := []string{"scratch", `scale <pit> & "é"`}
	report, err := formats.WriteLabelStudio(&out, classes, each(images))
	describeReport(&out, report)
	return out.String(), errors.Join(err, formats.WriteLabelStudioInterface(&out, classes))
}

// goldenYOLO reads the names of classes and a label file, and places its boxes in an image of 200 × 100 pixels.
func goldenYOLO(in map[string]string) (string, error) {
	var out strings.Builder
	read, names := formats.ReadYOLOSet, in["set"]
	if in["names"] != "" {
		read, names = formats.ReadYOLONames, in["names"]
	}
	set, err := read(strings.NewReader(names))
	if err != nil {
		fmt.Fprintf(&out, "no set: %v\n", err)
		set = &formats.YOLOSet{}
	}
	fractions, report, err := formats.ReadYOLO(strings.NewReader(in["labels"]), set)
	describeReport(&out, report)
	if err != nil {
		return out.String(), err
	}
	for _, asWritten := range []bool{false, true} {
		fmt.Fprintf(&out, "as written: %v\n", asWritten)
		im, report := fractions.Pixels("a.jpg", 200, 100, asWritten)
		if err := describeTo(&out)(im); err != nil {
			return out.String(), err
		}
		describeReport(&out, report)
	}
	return out.String(), nil
}

func goldenWriteYOLO(in map[string]string) (string, error) {
	images, err := imagesOf(in)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	for _, oriented := range []bool{false, true} {
		yolo, places := formats.NewYOLO([]string{"scratch", `scale <pit> & "é"`}, oriented), formats.YOLOPlaces{}
		if err := yolo.WriteSet(&out, goldenInfo, []string{"train", "test"}); err != nil {
			return "", err
		}
		for _, im := range images {
			fmt.Fprintf(&out, "%+v\n", places.Place("train", im.Key))
			report, err := yolo.Write(&out, im)
			if err != nil {
				fmt.Fprintf(&out, "error: %v\n", err)
			}
			describeReport(&out, report)
		}
	}
	return out.String(), nil
}

func goldenWriteCVAT(in map[string]string) (string, error) {
	images, err := imagesOf(in)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	report, err := formats.WriteCVAT(&out, goldenInfo, []string{"scratch", `scale <pit> & "é"`}, each(images))
	describeReport(&out, report)
	return out.String(), err
}

// imagesOf are the images of an input, one JSON object a line.
func imagesOf(in map[string]string) (images []formats.Image, err error) {
	for line := range strings.Lines(in["images"]) {
		var im formats.Image
		if err := json.Unmarshal([]byte(line), &im); err != nil {
			return nil, err
		}
		images = append(images, im)
	}
	return images, nil
}

// goldenWrite writes the images of its input as COCO and as VOC.
func goldenWrite(in map[string]string) (string, error) {
	images, err := imagesOf(in)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	report, err := formats.WriteCOCO(&out, goldenInfo, goldenCategories, each(images))
	if err != nil {
		return out.String(), err
	}
	describeReport(&out, report)
	var places formats.VOCPlaces
	for _, im := range images {
		place := places.Place(im.Key)
		fmt.Fprintf(&out, "%+v\n", place)
		report, err := formats.WriteVOC(&out, im, place, "strip")
		if err != nil {
			fmt.Fprintf(&out, "error: %v\n", err)
		}
		describeReport(&out, report)
	}
	return out.String(), nil
}

var (
	goldenInfo = formats.Set{
		Name: "strip", Version: "3", Hash: "5f70bf18", Created: time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	goldenCategories = []formats.COCOCategory{{ID: 1, Name: "scratch"}, {ID: 4, Name: "scale pit", Supercategory: "pit"}}
)

func each(images []formats.Image) iter.Seq2[formats.Image, error] {
	return func(yield func(formats.Image, error) bool) {
		for _, im := range images {
			if !yield(im, nil) {
				return
			}
		}
	}
}

func describeTo(out *strings.Builder) func(formats.Image) error {
	return func(im formats.Image) error {
		boxes := im.Boxes
		im.Boxes = nil
		fmt.Fprintln(out, strings.Replace(fmt.Sprintf("%+v", im), " Also: Fractions:<nil>}", "}", 1)) // most have neither
		for _, b := range boxes {
			fmt.Fprintf(out, "\t%+v\n", b)
		}
		return nil
	}
}

func describeReport(out io.Writer, report formats.Report) {
	text, err := json.Marshal(report)
	if err != nil {
		panic(err)
	}
	_, _ = fmt.Fprintf(out, "%s\n", bytes.ReplaceAll(text, []byte(`{"id`), []byte("\n\t{\"id")))
}
