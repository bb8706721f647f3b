package formats

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// ErrResultsList says that a COCO document is a list of results, which names images and categories by id only.
var ErrResultsList = errors.New("this is a list of COCO results: give the truth file with its images and categories also")

// ReadCOCO reads a COCO data set from a stream, its parts in any order, and yields its images with their boxes in the
// order of the file; an image without boxes is a negative, but not labeled when the document has no annotations at all.
// Memory is some 80 bytes a box. A rotated box (attributes.rotation, as CVAT writes it) keeps its rotation; masks,
// polygons and keypoints are left out. The error is the first of the stream, of JSON's syntax (nothing is yielded then),
// or of yield; ErrResultsList for a list of results. What is wrong with single records stands in the report.
func ReadCOCO(r io.Reader, yield func(Image) error) (Report, error) { return readCOCO(r, false, yield) }

// ReadCOCOAsWritten is ReadCOCO for scoring: boxes are neither clipped nor refused for where they lie or what size they
// have, as long as they are finite, annotations that share an id are all kept, and images come in the order of their ids.
func ReadCOCOAsWritten(r io.Reader, yield func(Image) error) (Report, error) {
	return readCOCO(r, true, yield)
}

func readCOCO(r io.Reader, asWritten bool, yield func(Image) error) (Report, error) {
	c := newCOCOReader(r)
	c.asWritten = asWritten
	if c.scan.peek() == '[' {
		return c.report, ErrResultsList
	}
	if err := c.document(true); err != nil {
		return c.report, err
	}
	return c.report, c.emit(yield)
}

// ReadCOCOResults reads a list of COCO results, [{image_id, category_id, bbox, score}], for the images and categories of
// truth, a COCO data set whose own boxes are ignored. Every image of truth is yielded, without boxes where there is no
// result. Detectors reach over the border of an image, so that boxes come as written, as from ReadCOCOAsWritten; Clip and
// Fit are for who needs them inside. Images come in the order of their ids.
func ReadCOCOResults(truth, results io.Reader, yield func(Image) error) (Report, error) {
	c := newCOCOReader(truth)
	if err := c.document(false); err != nil {
		return c.report, fmt.Errorf("truth: %w", err)
	}
	c.scan = newJSONScanner(results)
	if c.scan.peek() != '[' {
		return c.report, errors.New("expected a list of COCO results: [{image_id, category_id, bbox, score}, …]")
	}
	c.labeled, c.scored, c.asWritten = true, true, true
	c.scan.array(c.annotation)
	c.scan.end()
	if c.scan.err != nil {
		return c.report, c.scan.err
	}
	return c.report, c.emit(yield)
}

// cocoID is an id as the tools write it: an integer, a text, or none (then the record's position in the file).
type cocoID struct {
	n    int64 // the integer, the index in texts, or the position from 1
	kind uint8
}

const (
	cocoNoID uint8 = iota
	cocoNumber
	cocoText
)

type cocoImage struct {
	Image
	id     cocoID
	listed bool
	fault  string // why the image is refused
	faulty int    // annotations of it that were refused at once
}

type cocoCategory struct {
	name   string
	id     cocoID
	listed bool
	fault  string
}

const (
	cocoCrowd uint8 = 1 << iota
	cocoOccluded
	cocoTruncated
	cocoDifficult
	cocoScored
	cocoDropped
)

// cocoBox is an annotation until its image is known; its fields are packed since there can be millions.
type cocoBox struct {
	x, y, w, h, area, rotation, score float64
	id                                int64
	image, category                   int32
	idKind, flags                     uint8
}

// cocoChunk is how many annotations are stored together, so that a growing store never copies.
const cocoChunk = 1 << 14

// maxAnnotations bounds the memory that one document can take.
const maxAnnotations = 1 << 26

type cocoReader struct {
	scan       *jsonScanner
	report     Report
	images     []cocoImage
	imageAt    map[cocoID]int32
	categories []cocoCategory
	categoryAt map[cocoID]int32
	texts      []string
	textAt     map[string]int64
	boxes      [][]cocoBox
	count      int32 // annotations stored
	position   int64
	labeled    bool // the document has annotations
	scored     bool // every annotation needs a score
	asWritten  bool // boxes are not checked against their image

	draft                                    cocoDraft
	draftField, attributeField               func(key []byte)
	polygons, masks, keypoints, otherDetails int
}

func newCOCOReader(r io.Reader) *cocoReader {
	c := &cocoReader{
		scan:    newJSONScanner(r),
		imageAt: map[cocoID]int32{}, categoryAt: map[cocoID]int32{}, textAt: map[string]int64{},
	}
	c.draftField, c.attributeField = c.readDraftField, c.readAttribute
	return c
}

// document reads the whole data set, its annotations only when asked to.
func (c *cocoReader) document(annotations bool) error {
	isObject := c.scan.object(func(key []byte) {
		switch string(key) {
		case "images":
			c.scan.array(c.image)
		case "categories":
			c.scan.array(c.category)
		case "annotations":
			if !annotations {
				c.scan.skip()
				return
			}
			c.labeled = c.scan.array(c.annotation) || c.labeled
		default:
			c.scan.skip()
		}
	})
	c.scan.end()
	if c.scan.err != nil {
		return c.scan.err
	}
	if !isObject {
		return errors.New("this is not a COCO document: expected an object with images, annotations and categories")
	}
	return nil
}

// id takes an id: an integer however written, or a text.
func (c *cocoReader) id() cocoID {
	quoted, ok := c.scan.scalar()
	if !ok {
		return cocoID{}
	}
	if n, err := strconv.ParseInt(string(c.scan.word), 10, 64); err == nil {
		return cocoID{n: n, kind: cocoNumber}
	}
	if f, err := strconv.ParseFloat(string(c.scan.word), 64); !quoted && err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return cocoID{n: int64(f), kind: cocoNumber}
	}
	n, known := c.textAt[string(c.scan.word)]
	if !known {
		n = int64(len(c.texts))
		c.texts = append(c.texts, string(c.scan.word))
		c.textAt[c.texts[n]] = n
	}
	return cocoID{n: n, kind: cocoText}
}

// show is an id for people.
func (c *cocoReader) show(id cocoID) string {
	switch id.kind {
	case cocoNumber:
		return strconv.FormatInt(id.n, 10)
	case cocoText:
		return strconv.Quote(cleanText(c.texts[id.n]))
	default:
		return "number " + strconv.FormatInt(id.n, 10) + " of the list"
	}
}

// imageIndex is the place of an image in images.
func (c *cocoReader) imageIndex(id cocoID) int32 {
	return indexOf(c.imageAt, &c.images, id, cocoImage{id: id})
}

// categoryIndex is the place of a category in categories.
func (c *cocoReader) categoryIndex(id cocoID) int32 {
	return indexOf(c.categoryAt, &c.categories, id, cocoCategory{id: id})
}

// indexOf is the place of id in list, where entry is added when the id is seen for the first time.
func indexOf[T any](at map[cocoID]int32, list *[]T, id cocoID, entry T) int32 {
	i, known := at[id]
	if !known {
		i = int32(len(*list)) //nolint:gosec // 2³¹ entries would not fit into memory
		*list = append(*list, entry)
		at[id] = i
	}
	return i
}

// category reads one entry of categories.
func (c *cocoReader) category() {
	var id cocoID
	var name string
	c.scan.object(func(key []byte) {
		switch string(key) {
		case "id":
			id = c.id()
		case "name":
			name = c.scan.value()
		default:
			c.scan.skip()
		}
	})
	if id.kind == cocoNoID {
		c.report.Add(Refused, "category "+strconv.Quote(name), "the category has no id")
		return
	}
	place := "category " + c.show(id)
	entry := &c.categories[c.categoryIndex(id)]
	switch {
	case !entry.listed:
		entry.listed, entry.name = true, name
		if name == "" {
			entry.fault = "the category has no name"
			c.report.Add(Refused, place, entry.fault)
		}
	case entry.name == name:
		c.report.Add(LeftOut, place, "the category is listed twice")
	default:
		entry.fault = fmt.Sprintf("the id belongs to two categories, %q and %q", entry.name, name)
		c.report.Add(Refused, place, entry.fault)
	}
}
