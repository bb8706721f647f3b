package web

import (
	"slices"

	"fiducial/web/ui"
)

// labelFormat is a format of label files, with what it holds and loses on the way in and out.
type labelFormat struct {
	value, name string
	in, out     string // "" where it cannot be imported, or exported
	spoken      string // of utterances on the way out, "" where that cannot be
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
		out:    "One file a split, one row an item with its boxes as a nested list. Nothing is lost: keys, checksums and the versions of definitions are columns too.",
		spoken: "One file a split, one row an utterance with its segments and moments as nested lists. Nothing is lost: keys, spans, checksums and versions are columns too.",
	},
	{
		value: "huggingface", name: "Hugging Face datasets",
		out:    "A folder that load_dataset reads, splits and class names with it; images go into its files. Rotated boxes become upright, their rotation beside them.",
		spoken: "A folder that load_dataset reads: clips with file_name and transcription beside them. Nothing is lost.",
	},
}

// spokenFormats are the formats of transcripts alone, as they go out.
var spokenFormats = []labelFormat{
	{value: "nemo", name: "NeMo manifest", spoken: "A line a segment with text, duration and offset, for training recognizers. Channels and moments are lost."},
	{value: "ctm", name: "CTM", spoken: "A word a line with its time: the one at which a recognizer heard that word, else one between its neighbours, which the report counts. Speakers and moments are lost."},
	{value: "stm", name: "STM", spoken: "A segment a line with speaker and channel, for scoring. Moments are lost."},
	{value: "vtt", name: "WebVTT", spoken: "Subtitles with speakers, a file for each recording or clip. Times are in milliseconds; channels and moments are lost."},
	{value: "srt", name: "SubRip", spoken: "Subtitles, a file for each recording or clip. Times are in milliseconds; speakers, channels and moments are lost."},
	{value: "textgrid", name: "Praat TextGrid", spoken: "A tier for each speaker or channel, and for each class of moments; a file for each recording or clip."},
}

// spokenFirst are all formats, those of transcripts first where they are asked for.
func spokenFirst(sound bool) []labelFormat {
	if sound {
		return append(slices.Clone(spokenFormats), labelFormats...)
	}
	return labelFormats
}

// personalChoices say what an export does with personal data.
func personalChoices() []ui.Option {
	return []ui.Option{
		{Value: "mask", Label: "Masked", Help: "Each place becomes its kind, such as [name], and is silent in the sound."},
		{Value: "token", Label: "Replaced by tokens", Help: "Each place becomes a token such as [name-3f2a90c1], the same for the same person or number in this project, and is silent in the sound."},
		{Value: "keep", Label: "Kept as they are", Help: "Only with a reason, which the log keeps."},
	}
}

// personalWords say what an export did with personal data.
var personalWords = map[string]string{"mask": "personal data masked", "token": "personal data as tokens", "keep": "personal data kept"}

// importFormats are the choices of a new import.
func importFormats() (options []ui.Option) {
	for _, f := range labelFormats {
		if f.in != "" {
			options = append(options, ui.Option{Value: f.value, Label: f.name, Help: f.in})
		}
	}
	return options
}

// exportFormats are the choices of a new export, of utterances or of images.
func exportFormats(sound bool) (options []ui.Option) {
	for _, f := range spokenFirst(sound) {
		if sound && f.spoken != "" {
			options = append(options, ui.Option{Value: f.value, Label: f.name, Help: f.spoken})
		}
		if !sound && f.out != "" {
			options = append(options, ui.Option{Value: f.value, Label: f.name, Help: f.out})
		}
	}
	return options
}

// formatName is a format's name for people.
func formatName(value string) string {
	for _, f := range spokenFirst(true) {
		if f.value == value {
			return f.name
		}
	}
	return value
}
