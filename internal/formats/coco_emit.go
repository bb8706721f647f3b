package formats

import (
	"cmp"
	"fmt"
	"slices"
)

// compareIDs orders annotations by id.
func compareIDs(a, b *cocoBox) int {
	return cmp.Or(cmp.Compare(a.idKind, b.idKind), cmp.Compare(a.id, b.id))
}

// emit joins images, categories and annotations, and yields the images that were not refused.
func (c *cocoReader) emit(yield func(Image) error) error {
	c.reportDetails()
	if !c.asWritten {
		c.dropDuplicates()
	}
	c.nameTwins()
	keys := make(map[string]bool, len(c.images))
	order, start := c.byImage()
	for _, i := range c.imageOrder() {
		entry := &c.images[i]
		boxes := order[start[i]:start[i+1]]
		if entry.listed && entry.fault == "" && keys[entry.Key] {
			entry.fault = "another image of the file has the same file_name"
		}
		if !entry.listed || entry.fault != "" {
			c.refuseImage(entry, boxes)
			continue
		}
		keys[entry.Key] = true
		entry.Labeled = c.labeled
		entry.Boxes = c.fitAll(entry, boxes)
		if len(entry.Boxes) == 0 && len(boxes)+entry.faulty > 0 {
			entry.Labeled = false
			c.report.Add(LeftOut, c.imagePlace(entry), noNegative)
		}
		if err := yield(entry.Image); err != nil {
			return err
		}
		entry.Boxes = nil
	}
	return nil
}

// imageOrder is that of the file; where boxes are to be scored, that of the images' ids, in which COCO's own scorer takes them.
func (c *cocoReader) imageOrder() []int {
	order := make([]int, len(c.images))
	for i := range order {
		order[i] = i
	}
	if c.asWritten {
		slices.SortStableFunc(order, func(i, j int) int {
			a, b := c.images[i].id, c.images[j].id
			return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.n, b.n))
		})
	}
	return order
}

// reportDetails names what the document holds beyond boxes.
func (c *cocoReader) reportDetails() {
	for _, detail := range [...]struct {
		n      int
		reason string
	}{
		{c.polygons, "polygon of an annotation: only its box is kept"},
		{c.masks, "mask (RLE) of an annotation: only its box is kept"},
		{c.keypoints, "keypoints of an annotation"},
		{c.otherDetails, "attributes of an annotation other than rotation, occluded, truncated, difficult"},
	} {
		c.report.add(Loss{ID: "annotations", Kind: LeftOut, Reason: detail.reason, Count: detail.n})
	}
}

// nameTwins reports categories that share a name, since their boxes come out as one class.
func (c *cocoReader) nameTwins() {
	first := make(map[string]cocoID, len(c.categories))
	for i := range c.categories {
		entry := &c.categories[i]
		if !entry.listed || entry.fault != "" {
			continue
		}
		if other, twin := first[entry.name]; twin {
			c.report.Add(Renamed, "category "+c.show(entry.id),
				fmt.Sprintf("has the name of category %s, %q: their boxes become one class", c.show(other), entry.name))
			continue
		}
		first[entry.name] = entry.id
	}
}

// byImage lists the annotations image by image, in the order of the file: those of image i are order[start[i]:start[i+1]].
func (c *cocoReader) byImage() (order []int32, start []int) {
	start = make([]int, len(c.images)+2)
	for i := range c.count {
		if b := c.box(i); b.flags&cocoDropped == 0 {
			start[b.image+2]++
		}
	}
	for i := range c.images {
		start[i+2] += start[i+1]
	}
	order = make([]int32, start[len(start)-1])
	for i := range c.count {
		if b := c.box(i); b.flags&cocoDropped == 0 {
			order[start[b.image+1]] = i
			start[b.image+1]++
		}
	}
	return order, start
}

// refuseImage refuses an image, if it is listed at all, and the annotations that point to it.
func (c *cocoReader) refuseImage(entry *cocoImage, boxes []int32) {
	reason := "its image was refused"
	if entry.listed {
		c.report.Add(Refused, c.imagePlace(entry), entry.fault)
	} else {
		reason = "no image has the id " + c.show(entry.id)
	}
	for _, i := range boxes {
		b := c.box(i)
		c.report.Add(Refused, c.annotationPlace(cocoID{n: b.id, kind: b.idKind}), reason)
	}
}

// fitAll makes the boxes of one image.
func (c *cocoReader) fitAll(entry *cocoImage, boxes []int32) []Box {
	if len(boxes) == 0 {
		return nil
	}
	fitted := make([]Box, 0, len(boxes))
	for _, i := range boxes {
		b := c.box(i)
		category := &c.categories[b.category]
		box, clipped, err := fitOr(c.asWritten, b.unpack(category.name), entry.Width, entry.Height)
		switch {
		case !category.listed:
			err = fmt.Errorf("no category has the id %s", c.show(category.id))
		case category.fault != "":
			err = fmt.Errorf("its category was refused")
		}
		if err != nil || clipped {
			place := c.annotationPlace(cocoID{n: b.id, kind: b.idKind}) + " in " + entry.Key
			if err != nil {
				c.report.Add(Refused, place, err.Error())
				continue
			}
			c.report.Add(Clipped, place, "the box left the image by less than a pixel")
		}
		fitted = append(fitted, box)
	}
	return fitted
}

func (b *cocoBox) unpack(class string) Box {
	return Box{
		Class: class, X: b.x, Y: b.y, W: b.w, H: b.h,
		Rotation: b.rotation, Score: b.score, Scored: b.flags&cocoScored != 0, Area: b.area,
		Crowd: b.flags&cocoCrowd != 0, Occluded: b.flags&cocoOccluded != 0,
		Truncated: b.flags&cocoTruncated != 0, Difficult: b.flags&cocoDifficult != 0,
	}
}
