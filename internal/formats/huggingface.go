package formats

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// HuggingFace writes the files of a folder that load_dataset of the datasets library reads: Parquet files data/SPLIT-N.parquet,
// with the images in them where there are any, and README.md, whose head says which file belongs to which split and what the
// columns are. A row is
//
//	image       the image's bytes and its path, decoded when it is asked for; only with images
//	image_id    the item's number in the project's database
//	file_name   its path
//	width, height  of the upright image in pixels, null if unknown
//	objects     bbox ([x, y, width, height] in pixels, a rotated box as its hull), categories (a ClassLabel),
//	            area (of the box before rotation), iscrowd, rotation (degrees clockwise about the centre), a list each
//
// which are the names and the shape that the library's documents have for object detection.
type HuggingFace struct {
	info    Set
	classes []string
	number  map[string]int64
	images  bool
}

// NewHuggingFace has classes numbered from 0 in their order; images says whether rows hold the bytes of their image.
func NewHuggingFace(info Set, classes []string, images bool) *HuggingFace {
	h := &HuggingFace{info: info, classes: classes, number: make(map[string]int64, len(classes)), images: images}
	for i, class := range classes {
		h.number[class] = int64(i)
	}
	return h
}

// datasetsSplits are the library's names for the splits.
var datasetsSplits = map[string]string{"training": "train", "validation": "validation", "test": "test"}

// File is the name of the n-th file of a split, from 0.
func (h *HuggingFace) File(split string, n int) string {
	return fmt.Sprintf("data/%s-%05d.parquet", datasetsSplits[split], n)
}

// WriteHead writes the head of README.md, between its two lines of dashes, for the splits that hold something.
func (h *HuggingFace) WriteHead(w io.Writer, splits []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "---\npretty_name: %s\ntask_categories:\n- object-detection\n", quoted(h.info.Name))
	b.WriteString("configs:\n- config_name: default\n  data_files:\n")
	for _, split := range splits {
		name := datasetsSplits[split]
		fmt.Fprintf(&b, "  - split: %s\n    path: data/%s-*.parquet\n", name, name)
	}
	b.WriteString("dataset_info:\n  features:\n")
	if h.images {
		b.WriteString("  - name: image\n    dtype: image\n")
	}
	for _, column := range [][2]string{{"image_id", "int64"}, {"file_name", "string"}, {"width", "int32"}, {"height", "int32"}} {
		fmt.Fprintf(&b, "  - name: %s\n    dtype: %s\n", column[0], column[1])
	}
	b.WriteString("  - name: objects\n    struct:\n    - name: bbox\n      sequence:\n        sequence: float64\n")
	h.writeCategories(&b)
	b.WriteString("    - name: area\n      sequence: float64\n    - name: iscrowd\n      sequence: bool\n    - name: rotation\n      sequence: float64\n---\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (h *HuggingFace) writeCategories(b *strings.Builder) {
	if len(h.classes) == 0 { // a ClassLabel needs a name
		b.WriteString("    - name: categories\n      sequence: int64\n")
		return
	}
	b.WriteString("    - name: categories\n      sequence:\n        class_label:\n          names:\n")
	for i, class := range h.classes {
		fmt.Fprintf(b, "            '%d': %s\n", i, quoted(class))
	}
}

// quoted is text as JSON, which YAML reads alike.
func quoted(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil { // a string always can
		return `""`
	}
	return string(quoted)
}

// features are the columns' types as the library keeps them in the metadata of a Parquet file, for whoever loads one alone.
func (h *HuggingFace) features() string {
	type object map[string]any
	value := func(dtype string) object { return object{"dtype": dtype, "_type": "Value"} }
	list := func(of object) object { return object{"feature": of, "length": -1, "_type": "Sequence"} }
	categories := value("int64")
	if len(h.classes) > 0 {
		categories = object{"names": h.classes, "_type": "ClassLabel"}
	}
	features := object{
		"image_id": value("int64"), "file_name": value("string"), "width": value("int32"), "height": value("int32"),
		"objects": object{
			"bbox": list(list(value("float64"))), "categories": list(categories), "area": list(value("float64")),
			"iscrowd": list(value("bool")), "rotation": list(value("float64")),
		},
	}
	if h.images {
		features["image"] = object{"_type": "Image"}
	}
	document, err := json.Marshal(object{"info": object{"features": features}})
	if err != nil { // names are strings
		return "{}"
	}
	return string(document)
}
