package formats

import (
	"bufio"
	"encoding/xml"
	"errors"
	"io"
	"iter"
	"math"
	"time"
)

// WriteCVAT writes a document of CVAT for images 1.1: the labels that a task needs, then each image with its boxes, numbered
// from 0 in the order of images. Coordinates are in the shortest form that reads back as the same float64, rotations from 0
// to 360 degrees. The marks that CVAT has no field for (truncated, difficult, is_crowd) are attributes, declared for every
// label. An image that is not labeled is left out, since CVAT would take it for a negative; a box of none of classes, or that
// is not finite, is refused. Both stand in the report.
func WriteCVAT(w io.Writer, set Set, classes []string, images iter.Seq2[Image, error]) (Report, error) {
	out := bufio.NewWriterSize(w, 64<<10)
	c := cvatWriter{xml: xml.NewEncoder(out), known: make(map[string]bool, len(classes))}
	c.xml.Indent("", "  ")
	if _, err := out.WriteString(xml.Header); err != nil {
		return c.report, err
	}
	root := xml.StartElement{Name: xml.Name{Local: "annotations"}}
	err := errors.Join(c.xml.EncodeToken(root), c.xml.EncodeElement("1.1", xml.StartElement{Name: xml.Name{Local: "version"}}), c.meta(set, classes))
	if err != nil {
		return c.report, err
	}
	if err := c.images(images); err != nil {
		return c.report, err
	}
	if err := errors.Join(c.xml.EncodeToken(root.End()), c.xml.Close()); err != nil {
		return c.report, err
	}
	_, err = out.WriteString("\n")
	return c.report, errors.Join(err, out.Flush())
}

type cvatWriter struct {
	xml    *xml.Encoder
	known  map[string]bool
	report Report
}

type cvatMeta struct {
	XMLName xml.Name    `xml:"meta"`
	Name    string      `xml:"task>name"`
	Created string      `xml:"task>created"`
	Labels  []cvatLabel `xml:"task>labels>label"`
	Dumped  string      `xml:"dumped"`
}

type cvatLabel struct {
	Name       string          `xml:"name"`
	Type       string          `xml:"type"`
	Attributes []cvatAttribute `xml:"attributes>attribute"`
}

type cvatAttribute struct {
	Name    string `xml:"name"`
	Mutable string `xml:"mutable"`
	Input   string `xml:"input_type"`
	Default string `xml:"default_value"`
	Values  string `xml:"values"`
}

// cvatMarks are the attributes of every label.
var cvatMarks = [...]string{"truncated", "difficult", "is_crowd"}

func (c *cvatWriter) meta(set Set, classes []string) error {
	at := set.Created.UTC().Format(time.RFC3339)
	meta := cvatMeta{Name: set.Name + " version " + set.Version, Created: at, Dumped: at}
	for _, class := range classes {
		c.known[class] = true
		label := cvatLabel{Name: class, Type: "rectangle"}
		for _, mark := range cvatMarks {
			label.Attributes = append(label.Attributes, cvatAttribute{mark, "False", "checkbox", "false", "false"})
		}
		meta.Labels = append(meta.Labels, label)
	}
	return c.xml.Encode(meta)
}

type cvatImageRecord struct {
	XMLName xml.Name        `xml:"image"`
	ID      int             `xml:"id,attr"`
	Name    string          `xml:"name,attr"`
	Width   int             `xml:"width,attr"`
	Height  int             `xml:"height,attr"`
	Boxes   []cvatBoxRecord `xml:"box"`
}

type cvatBoxRecord struct {
	Label    string     `xml:"label,attr"`
	Source   string     `xml:"source,attr"`
	Occluded int        `xml:"occluded,attr"`
	Left     float64    `xml:"xtl,attr"`
	Top      float64    `xml:"ytl,attr"`
	Right    float64    `xml:"xbr,attr"`
	Bottom   float64    `xml:"ybr,attr"`
	Rotation float64    `xml:"rotation,attr,omitempty"`
	Order    int        `xml:"z_order,attr"`
	Marks    []cvatMark `xml:"attribute"`
}

type cvatMark struct {
	Name  string `xml:"name,attr"`
	Value string `xml:",chardata"`
}

func (c *cvatWriter) images(images iter.Seq2[Image, error]) error {
	n := 0
	for im, err := range images {
		if err != nil {
			return err
		}
		if !im.Labeled {
			c.report.Add(LeftOut, im.Key, "not labeled: CVAT would take the image for a negative")
			continue
		}
		record := cvatImageRecord{ID: n, Name: im.Key, Width: im.Width, Height: im.Height, Boxes: make([]cvatBoxRecord, 0, len(im.Boxes))}
		n++
		for _, box := range im.Boxes {
			if written, ok := c.box(im.Key, box); ok {
				record.Boxes = append(record.Boxes, written)
			}
		}
		if err := c.xml.Encode(record); err != nil {
			return err
		}
	}
	return nil
}

// box is a box as CVAT writes it; ok is false for one that is refused.
func (c *cvatWriter) box(key string, box Box) (record cvatBoxRecord, ok bool) {
	if !writable(&c.report, c.known, key, box) {
		return record, false
	}
	if box.Scored {
		c.report.Add(LeftOut, key, "the score, which CVAT does not have")
	}
	if box.Area != 0 {
		c.report.Add(LeftOut, key, "the area, which CVAT does not have")
	}
	record = cvatBoxRecord{
		Label: box.Class, Source: "manual", Occluded: asInt(box.Occluded),
		Left: box.X, Top: box.Y, Right: box.X + box.W, Bottom: box.Y + box.H, Rotation: fullTurn(box.Rotation),
	}
	for i, on := range [...]bool{box.Truncated, box.Difficult, box.Crowd} {
		if on {
			record.Marks = append(record.Marks, cvatMark{cvatMarks[i], "true"})
		}
	}
	return record, true
}

// fullTurn brings an angle in degrees into 0 to 360 (excluded).
func fullTurn(degrees float64) float64 {
	if degrees = math.Mod(degrees, 360); degrees < 0 {
		degrees += 360
	}
	if degrees >= 360 { // a tiny negative angle
		return 0
	}
	return degrees
}
