package formats

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"time"
)

// COCOCategory is a class with the id that stands for it; ids begin at 1 and should stay the same from version to version.
type COCOCategory struct {
	ID            int    `json:"id"`
	Name          string `json:"name"`
	Supercategory string `json:"supercategory"`
}

// WriteCOCO writes a COCO data set with images and annotations numbered from 1 in the order of images, coordinates in
// the shortest form that reads back as the same float64. COCO wants all images before all annotations: images is
// iterated twice and must give the same both times, so that nothing is held in memory. A rotated box is written as its
// hull, with rotation and the box before rotation in attributes. An image that is not labeled is left out, since COCO
// would take it for a negative; a box of no category in categories, or that is not finite, is refused. Both stand in the report.
func WriteCOCO(w io.Writer, info Set, categories []COCOCategory, images iter.Seq2[Image, error]) (Report, error) {
	c := cocoWriter{out: bufio.NewWriterSize(w, 64<<10), categoryID: make(map[string]int, len(categories))}
	c.json = json.NewEncoder(c.out)
	c.json.SetEscapeHTML(false)
	if err := c.numberCategories(categories); err != nil {
		return c.report, err
	}
	c.text(`{"info":`)
	c.value(cocoInfoRecord{
		Description: info.Name, Version: info.Version, SHA256: info.Hash,
		Year: info.Created.Year(), DateCreated: info.Created.UTC().Format(time.RFC3339),
	})
	c.text(`,"licenses":[],"categories":`)
	c.value(append([]COCOCategory{}, categories...))
	c.text(`,"images":[`)
	listed, err := c.images(images)
	if err != nil {
		return c.report, err
	}
	c.text(`],"annotations":[`)
	again, err := c.annotations(images)
	if err != nil {
		return c.report, err
	}
	if again != listed {
		return c.report, fmt.Errorf("write COCO: %d images came at first and %d the second time", listed, again)
	}
	c.text("]}\n")
	return c.report, errors.Join(c.err, c.out.Flush())
}

type cocoInfoRecord struct {
	Description string `json:"description"`
	Version     string `json:"version"`
	Year        int    `json:"year"`
	DateCreated string `json:"date_created"`
	SHA256      string `json:"sha256"`
}

type cocoImageRecord struct {
	ID       int               `json:"id"`
	FileName string            `json:"file_name"`
	Width    int               `json:"width"`
	Height   int               `json:"height"`
	Captured string            `json:"date_captured,omitempty"`
	Source   string            `json:"source,omitempty"`
	Group    string            `json:"group,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

type cocoAnnotationRecord struct {
	ID           int             `json:"id"`
	ImageID      int             `json:"image_id"`
	CategoryID   int             `json:"category_id"`
	BBox         [4]float64      `json:"bbox"`
	Area         float64         `json:"area"`
	IsCrowd      int             `json:"iscrowd"`
	Segmentation [0]int          `json:"segmentation"`
	Score        *float64        `json:"score,omitempty"`
	Attributes   *cocoAttributes `json:"attributes,omitempty"`
}

type cocoAttributes struct {
	Rotation  float64     `json:"rotation,omitempty"`
	Unrotated *[4]float64 `json:"unrotated_bbox,omitempty"`
	Occluded  bool        `json:"occluded,omitempty"`
	Truncated bool        `json:"truncated,omitempty"`
	Difficult bool        `json:"difficult,omitempty"`
}

type cocoWriter struct {
	out        *bufio.Writer
	json       *json.Encoder
	report     Report
	categoryID map[string]int
	boxes      int
	err        error // the first of a write
}

func (c *cocoWriter) text(s string) {
	if c.err == nil {
		_, c.err = c.out.WriteString(s)
	}
}

func (c *cocoWriter) value(v any) {
	if c.err == nil {
		c.err = c.json.Encode(v)
	}
}

func (c *cocoWriter) numberCategories(categories []COCOCategory) error {
	seen := make(map[int]bool, len(categories))
	for _, category := range categories {
		if category.ID < 1 || seen[category.ID] {
			return fmt.Errorf("write COCO: category %q needs an id of its own, from 1", category.Name)
		}
		if c.categoryID[category.Name] != 0 || category.Name == "" {
			return fmt.Errorf("write COCO: category %d needs a name of its own, it has %q", category.ID, category.Name)
		}
		seen[category.ID], c.categoryID[category.Name] = true, category.ID
	}
	return nil
}

// images writes the entries of images and returns how many there are.
func (c *cocoWriter) images(images iter.Seq2[Image, error]) (int, error) {
	n := 0
	for im, err := range images {
		if err != nil {
			return n, err
		}
		if !im.Labeled {
			c.report.Add(LeftOut, im.Key, "not labeled: COCO would take the image for a negative")
			continue
		}
		if n++; n > 1 {
			c.text(",")
		}
		record := cocoImageRecord{
			ID: n, FileName: im.Key, Width: im.Width, Height: im.Height,
			Source: im.Source, Group: im.Group, Metadata: im.Metadata,
		}
		if !im.CapturedAt.IsZero() {
			record.Captured = im.CapturedAt.UTC().Format(time.RFC3339Nano)
		}
		c.value(record)
	}
	return n, c.err
}

// annotations writes the entries of annotations and returns how many images it saw.
func (c *cocoWriter) annotations(images iter.Seq2[Image, error]) (int, error) {
	n := 0
	for im, err := range images {
		if err != nil {
			return n, err
		}
		if !im.Labeled {
			continue
		}
		n++
		for _, box := range im.Boxes {
			c.annotation(n, im.Key, box)
		}
	}
	return n, c.err
}

func (c *cocoWriter) annotation(imageID int, key string, box Box) {
	categoryID := c.categoryID[box.Class]
	if categoryID == 0 {
		c.report.Add(Refused, key, fmt.Sprintf("box of class %q, which is not a category of this export", box.Class))
		return
	}
	if _, _, err := Fit(box, 0, 0); err != nil {
		c.report.Add(Refused, key, err.Error())
		return
	}
	record := cocoAnnotationRecord{
		ID: c.boxes + 1, ImageID: imageID, CategoryID: categoryID,
		Area: box.labeledArea(), BBox: [4]float64{box.X, box.Y, box.W, box.H},
	}
	if box.Crowd {
		record.IsCrowd = 1
	}
	if box.Scored {
		record.Score = &box.Score
	}
	record.attribute(box)
	if !record.finite() {
		c.report.Add(Refused, key, "box with a number that JSON cannot hold")
		return
	}
	if box.Rotation != 0 {
		c.report.Add(Rounded, key, "rotated box written as the upright rectangle around it, rotation in its attributes")
	}
	if c.boxes++; c.boxes > 1 {
		c.text(",")
	}
	c.value(record)
}

// attribute adds what COCO has no field for.
func (r *cocoAnnotationRecord) attribute(box Box) {
	attributes := cocoAttributes{Occluded: box.Occluded, Truncated: box.Truncated, Difficult: box.Difficult}
	if box.Rotation != 0 {
		attributes.Rotation, attributes.Unrotated = box.Rotation, &[4]float64{box.X, box.Y, box.W, box.H}
		r.BBox[0], r.BBox[1], r.BBox[2], r.BBox[3] = box.Hull()
	}
	if attributes != (cocoAttributes{}) {
		r.Attributes = &attributes
	}
}

// finite reports whether JSON can hold every number of the record.
func (r *cocoAnnotationRecord) finite() bool {
	numbers := append(r.BBox[:], r.Area)
	if r.Score != nil {
		numbers = append(numbers, *r.Score)
	}
	return !slices.ContainsFunc(numbers, func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}
