package formats

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
)

// The names that the written tasks and the written labeling interface share.
const (
	labelStudioImage  = "image"
	labelStudioLabels = "label"
)

// WriteLabelStudio writes tasks in Label Studio's own JSON, each with one annotation that is marked as ground truth; a negative
// has one without results. Images are addressed as files that Label Studio serves from a folder of its machine, by their keys.
// Numbers are in the shortest form that reads back as the same float64: percent of the image's size, rotation from 0 to 360
// degrees about the top-left corner. An image that is not labeled, or whose size is not known, is left out; a box of none of
// classes, or that is not finite, is refused. Both stand in the report.
func WriteLabelStudio(w io.Writer, classes []string, images iter.Seq2[Image, error]) (Report, error) {
	out := bufio.NewWriterSize(w, 64<<10)
	l := labelStudioWriter{known: make(map[string]bool, len(classes))}
	for _, class := range classes {
		l.known[class] = true
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if _, err := out.WriteString("["); err != nil {
		return l.report, err
	}
	n := 0
	for im, err := range images {
		if err != nil {
			return l.report, err
		}
		if !im.Labeled || im.Width <= 0 || im.Height <= 0 {
			l.report.Add(LeftOut, im.Key, "not labeled, or the size of its image is not known, and Label Studio holds percents of that")
			continue
		}
		if n++; n > 1 {
			_, _ = out.WriteString(",") // Flush returns the error
		}
		if err := encoder.Encode(l.task(n, &im)); err != nil {
			return l.report, err
		}
	}
	_, err := out.WriteString("]\n")
	return l.report, errors.Join(err, out.Flush())
}

type labelStudioWriter struct {
	known  map[string]bool
	report Report
}

type labelStudioTaskRecord struct {
	ID          int                       `json:"id"`
	Data        map[string]string         `json:"data"`
	Annotations []labelStudioAnswerRecord `json:"annotations"`
	Predictions [0]int                    `json:"predictions"`
}

type labelStudioAnswerRecord struct {
	ID          int                       `json:"id"`
	Cancelled   bool                      `json:"was_cancelled"`
	GroundTruth bool                      `json:"ground_truth"`
	Result      []labelStudioRegionRecord `json:"result"`
}

type labelStudioRegionRecord struct {
	ID     string           `json:"id"`
	From   string           `json:"from_name"`
	To     string           `json:"to_name"`
	Type   string           `json:"type"`
	Width  int              `json:"original_width"`
	Height int              `json:"original_height"`
	Turned int              `json:"image_rotation"`
	Value  labelStudioValue `json:"value"`
}

type labelStudioValue struct {
	X        float64   `json:"x"`
	Y        float64   `json:"y"`
	Width    float64   `json:"width"`
	Height   float64   `json:"height"`
	Rotation float64   `json:"rotation"`
	Labels   [1]string `json:"rectanglelabels"`
}

func (l *labelStudioWriter) task(id int, im *Image) labelStudioTaskRecord {
	answer := labelStudioAnswerRecord{ID: id, GroundTruth: true, Result: make([]labelStudioRegionRecord, 0, len(im.Boxes))}
	for _, box := range im.Boxes {
		if !writable(&l.report, l.known, im.Key, box) {
			continue
		}
		l.lose(im.Key, box)
		width, height, corner := float64(im.Width), float64(im.Height), box.corners()[0]
		answer.Result = append(answer.Result, labelStudioRegionRecord{
			ID: fmt.Sprintf("box-%d", len(answer.Result)+1), From: labelStudioLabels, To: labelStudioImage, Type: "rectanglelabels",
			Width: im.Width, Height: im.Height,
			Value: labelStudioValue{
				X: 100 * corner.x / width, Y: 100 * corner.y / height, Width: 100 * box.W / width, Height: 100 * box.H / height,
				Rotation: fullTurn(box.Rotation), Labels: [1]string{box.Class},
			},
		})
	}
	return labelStudioTaskRecord{
		ID: id, Data: map[string]string{labelStudioImage: labelStudioAddress(im.Key)}, Annotations: []labelStudioAnswerRecord{answer},
	}
}

// lose reports what of a box Label Studio does not hold.
func (l *labelStudioWriter) lose(key string, box Box) {
	for _, lost := range [...]struct {
		is     bool
		reason string
	}{
		{box.Crowd, "the mark of a crowd, which Label Studio does not have"},
		{box.Occluded || box.Truncated || box.Difficult, "marks (occluded, truncated, difficult), which Label Studio does not have"},
		{box.Scored, "the score, which an annotation of Label Studio does not have"},
		{box.Area != 0, "the area, which Label Studio does not have"},
	} {
		if lost.is {
			l.report.Add(LeftOut, key, lost.reason)
		}
	}
}

// labelStudioView is a labeling interface.
type labelStudioView struct {
	XMLName xml.Name `xml:"View"`
	Image   struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	} `xml:"Image"`
	Labels struct {
		Name  string `xml:"name,attr"`
		To    string `xml:"toName,attr"`
		Names []struct {
			Value string `xml:"value,attr"`
		} `xml:"Label"`
	} `xml:"RectangleLabels"`
}

// WriteLabelStudioInterface writes the labeling interface of a project that takes the tasks of WriteLabelStudio.
func WriteLabelStudioInterface(w io.Writer, classes []string) error {
	var view labelStudioView
	view.Image.Name, view.Image.Value = labelStudioImage, "$"+labelStudioImage
	view.Labels.Name, view.Labels.To = labelStudioLabels, labelStudioImage
	for _, class := range classes {
		view.Labels.Names = append(view.Labels.Names, struct {
			Value string `xml:"value,attr"`
		}{class})
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(view); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
