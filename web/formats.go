package web

import "fiducial/web/ui"

// labelFormat is a format of label files, with what it holds and loses on the way in and out.
type labelFormat struct {
	value, name string
	in, out     string // "" where it cannot be imported, or exported
}

var labelFormats = []labelFormat{
	{value: "images", name: "Images alone", in: "Pictures without labels."},
	{
		value: "coco", name: "COCO",
		in:  "One JSON for all images. Boxes, crowds and rotation come in; outlines and masks become the box around them.",
		out: "One JSON a split, exact to the last digit. A rotated box is the upright one around it, its rotation among the attributes.",
	},
	{
		value: "voc", name: "Pascal VOC",
		in:  "An XML beside each image. Whole pixels; poses and parts stay out.",
		out: "An XML for each image. Corners are rounded to whole pixels, rotated boxes become upright, and crowds are not marked.",
	},
	{
		value: "yolo", name: "YOLO",
		in:  "A text file for each image, upright or oriented boxes, with the names in data.yaml or classes.txt. An empty file is a negative, a missing one means not labeled. Boxes are cut off at the border; outlines become the box around them.",
		out: "A text file for each image, in fractions. Rotated boxes become upright, and crowds are not marked.",
	},
	{
		value: "yolo-obb", name: "YOLO, oriented",
		out: "A text file for each image, the four corners of every box in fractions. Rotated boxes stay as they are, cut off at the border; crowds are not marked.",
	},
	{
		value: "cvat", name: "CVAT",
		in:  "CVAT for images 1.1, an XML for all images. Rotation comes in; polygons and masks become the box around them, tracks are refused.",
		out: "CVAT for images 1.1, an XML a split. Nothing of a box is lost, its rotation included.",
	},
	{
		value: "labelstudio", name: "Label Studio",
		in:  "Tasks in Label Studio's own JSON. Rectangles and their rotation come in, of one annotation a task; skipped tasks are not labeled, other results and predictions stay out.",
		out: "Tasks in Label Studio's own JSON, a list a split, with the labeling interface. Rotation is kept; crowds are not marked.",
	},
	{
		value: "parquet", name: "Parquet",
		out: "One file a split, one row an item with its boxes as a nested list. Nothing is lost: keys, checksums and the versions of definitions are columns too.",
	},
	{
		value: "huggingface", name: "Hugging Face datasets",
		out: "A folder that load_dataset reads, splits and class names with it; images go into its files. Rotated boxes become upright, their rotation beside them.",
	},
}

// importFormats are the choices of a new import.
func importFormats() (options []ui.Option) {
	for _, f := range labelFormats {
		if f.in != "" {
			options = append(options, ui.Option{Value: f.value, Label: f.name, Help: f.in})
		}
	}
	return options
}

// exportFormats are the choices of a new export.
func exportFormats() (options []ui.Option) {
	for _, f := range labelFormats {
		if f.out != "" {
			options = append(options, ui.Option{Value: f.value, Label: f.name, Help: f.out})
		}
	}
	return options
}

// formatName is a format's name for people.
func formatName(value string) string {
	for _, f := range labelFormats {
		if f.value == value {
			return f.name
		}
	}
	return value
}
