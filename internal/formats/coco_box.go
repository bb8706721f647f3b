package formats

import (
	"math"
	"slices"
)

// cocoDraft is the annotation that is being read.
type cocoDraft struct {
	cocoBox
	id, image, category cocoID
	bbox, upright       [4]float64
	hasBox, hasUpright  bool
}

// annotation reads one entry of annotations or of a list of results. Whether its image and its category exist is not
// known before the end of the file.
func (c *cocoReader) annotation() {
	c.position++
	c.draft = cocoDraft{id: cocoID{n: c.position}}
	isObject := c.scan.object(c.draftField)
	if c.scan.err != nil {
		return
	}
	if !isObject {
		c.report.Add(Refused, c.annotationPlace(c.draft.id), "not an object")
		return
	}
	d := &c.draft
	box := d.cocoBox
	if d.hasUpright && d.rotation != 0 {
		d.bbox = d.upright
	}
	box.x, box.y, box.w, box.h = d.bbox[0], d.bbox[1], d.bbox[2], d.bbox[3]
	if reason := c.draftFault(); reason != "" {
		c.report.Add(Refused, c.annotationPlace(d.id), reason)
		if d.image.kind != cocoNoID {
			c.images[c.imageIndex(d.image)].faulty++
		}
		return
	}
	if math.IsNaN(box.area) || math.IsInf(box.area, 0) || box.area < 0 {
		c.report.Add(LeftOut, c.annotationPlace(d.id), "an area that is not a number of square pixels")
		box.area = 0
	}
	if box.area == box.w*box.h {
		box.area = 0
	}
	box.id, box.idKind = d.id.n, d.id.kind
	box.image, box.category = c.imageIndex(d.image), c.categoryIndex(d.category)
	if c.count == maxAnnotations {
		c.scan.fail("more than %d annotations", maxAnnotations)
		return
	}
	if c.count%cocoChunk == 0 {
		c.boxes = append(c.boxes, make([]cocoBox, 0, cocoChunk))
	}
	last := &c.boxes[len(c.boxes)-1]
	*last = append(*last, box)
	c.count++
}

// draftFault says why the annotation cannot be kept whatever else the file holds.
func (c *cocoReader) draftFault() string {
	d := &c.draft
	switch {
	case d.image.kind == cocoNoID:
		return "no image_id"
	case d.category.kind == cocoNoID:
		return "no category_id"
	case !d.hasBox:
		return "no bbox of four numbers"
	case d.flags&cocoScored == 0 && c.scored:
		return "no score"
	case math.IsNaN(d.score) || math.IsInf(d.score, 0):
		return "a score that is not a number"
	}
	return ""
}

func (c *cocoReader) annotationPlace(id cocoID) string { return "annotation " + c.show(id) }

// readDraftField takes the value of one key of an annotation.
func (c *cocoReader) readDraftField(key []byte) {
	if c.scan.null() {
		return
	}
	d := &c.draft
	switch string(key) {
	case "id":
		if id := c.id(); id.kind != cocoNoID {
			d.id = id
		}
	case "image_id":
		d.image = c.id()
	case "category_id":
		d.category = c.id()
	case "bbox":
		d.hasBox = c.four(&d.bbox)
	case "area":
		d.area = c.scan.number()
	case "score":
		d.score = c.scan.number()
		d.flags |= cocoScored
	case "iscrowd":
		c.flag(cocoCrowd)
	case "attributes":
		c.scan.object(c.attributeField)
	case "segmentation":
		c.segmentation()
	case "keypoints":
		if c.scan.array(c.scan.skip) {
			c.keypoints++
		}
	default:
		c.scan.skip()
	}
}

// readAttribute takes the value of one key of an annotation's attributes.
func (c *cocoReader) readAttribute(key []byte) {
	if c.scan.null() {
		return
	}
	d := &c.draft
	switch string(key) {
	case "rotation":
		d.rotation = c.scan.number()
	case "unrotated_bbox":
		d.hasUpright = c.four(&d.upright)
	case "occluded":
		c.flag(cocoOccluded)
	case "truncated":
		c.flag(cocoTruncated)
	case "difficult":
		c.flag(cocoDifficult)
	default:
		c.otherDetails++
		c.scan.skip()
	}
}

func (c *cocoReader) flag(bit uint8) {
	if c.scan.truth() {
		c.draft.flags |= bit
	}
}

// four takes an array of exactly four values; what is not a number among them becomes NaN.
func (c *cocoReader) four(into *[4]float64) bool {
	n := 0
	isArray := c.scan.array(func() {
		v := c.scan.number()
		if n < 4 {
			into[n] = v
		}
		n++
	})
	return isArray && n == 4
}

// segmentation drops an outline and counts it.
func (c *cocoReader) segmentation() {
	if c.scan.peek() == '{' {
		c.masks++
		c.scan.skip()
		return
	}
	parts := 0
	c.scan.array(func() {
		parts++
		c.scan.skip()
	})
	if parts > 0 {
		c.polygons++
	}
}

func (c *cocoReader) box(i int32) *cocoBox { return &c.boxes[i/cocoChunk][i%cocoChunk] }

// dropDuplicates finds annotations that share an id. One that says the same thing again is left out; one that says
// something else is a box of its own, as in files merged without renumbering.
func (c *cocoReader) dropDuplicates() {
	order := make([]int32, 0, c.count)
	sorted := true
	for i := range c.count {
		if b := c.box(i); b.idKind != cocoNoID {
			if n := len(order); n > 0 && compareIDs(c.box(order[n-1]), b) >= 0 {
				sorted = false
			}
			order = append(order, i)
		}
	}
	if sorted {
		return
	}
	slices.SortStableFunc(order, func(i, j int32) int { return compareIDs(c.box(i), c.box(j)) })
	for n := 1; n < len(order); n++ {
		first, second := c.box(order[n-1]), c.box(order[n])
		if compareIDs(first, second) != 0 {
			continue
		}
		place := c.annotationPlace(cocoID{n: second.id, kind: second.idKind})
		again := *first
		if again.flags &^= cocoDropped; again == *second {
			second.flags |= cocoDropped
			c.report.Add(LeftOut, place, "the annotation is listed twice")
		} else {
			c.report.Add(Renamed, place, "the id belongs to several annotations: each is kept as a box of its own")
		}
	}
}
