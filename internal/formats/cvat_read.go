package formats

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// ReadCVAT reads a document of CVAT for images 1.1 from a stream and yields each image as it ends, with its boxes; an image
// without shapes is a negative. Memory is that of one image and of the names. Rectangles keep their rotation, and so do
// ellipses, of which the box around them is taken, as it is of polygons and masks; other shapes are left out, and an image
// that has only such is not labeled. What the document says of people is not read. Boxes are checked against their image
// unless asWritten is set: then they only need to be finite. The error is the first of the stream, of XML's syntax, or of
// yield; images that came before it were yielded. What is wrong with single records stands in the report.
func ReadCVAT(r io.Reader, asWritten bool, yield func(Image) error) (Report, error) {
	c := cvatReader{xml: newXMLScanner(r), asWritten: asWritten, yield: yield, keys: map[string]bool{}, lost: tally{}}
	err := c.document()
	c.lost.report(&c.report, "shapes")
	return c.report, err
}

type cvatReader struct {
	xml       *xmlScanner
	asWritten bool
	yield     func(Image) error
	keys      map[string]bool
	report    Report
	lost      tally // attributes and elements that are not read, by name

	image  Image
	shapes int // of the image, from 1
	others int // shapes of the image that are left out
}

func (c *cvatReader) document() error {
	root, err := c.xml.child()
	if errors.Is(err, io.EOF) {
		return errTruncated
	}
	if err != nil {
		return err
	}
	if root == nil || root.Name.Local != "annotations" {
		return errors.New("this is not a CVAT document: the outermost element is not <annotations>")
	}
	for {
		element, err := c.xml.child()
		if err != nil || element == nil {
			return err
		}
		switch element.Name.Local {
		case "image":
			err = c.readImage(element)
		case "track":
			c.report.Add(Refused, "track "+strconv.Quote(cleanText(attribute(element, "id"))), "a track of a video: export as CVAT for images")
			err = c.xml.skip()
		default: // version, and meta with its owners and assignees
			err = c.xml.skip()
		}
		if err != nil {
			return err
		}
	}
}

// readImage reads one image with its shapes and yields it unless it is refused.
func (c *cvatReader) readImage(element *xml.StartElement) error {
	c.image = Image{Width: sideOf(attribute(element, "width")), Height: sideOf(attribute(element, "height")), Labeled: true}
	c.shapes, c.others = 0, 0
	fault := c.nameImage(element)
	for {
		shape, err := c.xml.child()
		if err != nil {
			return err
		}
		if shape == nil {
			break
		}
		if fault == "" {
			err = c.readShape(shape)
		} else {
			err = c.xml.skip()
		}
		if err != nil {
			return err
		}
	}
	if fault != "" {
		c.report.Add(Refused, "image "+strconv.Quote(cleanText(attribute(element, "name"))), fault)
		return nil
	}
	switch {
	case len(c.image.Boxes) > 0:
	case c.others > 0:
		c.image.Labeled = false
		c.report.Add(LeftOut, c.image.Key, "it has shapes, and no boxes among them: it is not taken for a negative")
	case c.shapes > 0:
		c.image.Labeled = false
		c.report.Add(LeftOut, c.image.Key, noNegative)
	}
	return c.yield(c.image)
}

// nameImage makes the key of the image out of its name; it returns why the image is refused.
func (c *cvatReader) nameImage(element *xml.StartElement) (fault string) {
	name := attribute(element, "name")
	if name == "" {
		return "the image has no name"
	}
	relative := stripRoot(name)
	key, err := CleanKey(relative)
	if err != nil {
		return err.Error()
	}
	if c.keys[key] {
		return "another image of the file has the same name"
	}
	if relative != name {
		c.report.Add(Renamed, key, fmt.Sprintf("the absolute path %q was made relative", name))
	}
	c.keys[key], c.image.Key = true, key
	return ""
}

func (c *cvatReader) place() string { return c.image.Key + ": shape " + strconv.Itoa(c.shapes) }

// readShape reads one shape of the image.
func (c *cvatReader) readShape(element *xml.StartElement) error {
	kind := element.Name.Local
	if kind == "tag" {
		c.lost.count("tag of an image")
		return c.xml.skip()
	}
	c.shapes++
	box, err := cvatBox(element)
	if errors.Is(err, errOtherShape) {
		c.others++
		c.report.Add(LeftOut, c.image.Key, kind+": only boxes are kept")
		return c.xml.skip()
	}
	if detail := c.readDetails(&box); detail != nil {
		return detail
	}
	if err == nil && box.Class == "" {
		err = errors.New("no label")
	}
	if err != nil {
		c.report.Add(Refused, c.place(), err.Error())
		return nil
	}
	if kind != "box" {
		c.report.Add(Rounded, c.image.Key, kind+": only the box around it is kept")
	}
	c.keep(box.settled())
	return nil
}

// keep adds a box to the image if it fits.
func (c *cvatReader) keep(box Box) {
	box, clipped, err := fitOr(c.asWritten, box, c.image.Width, c.image.Height)
	switch {
	case err != nil:
		c.report.Add(Refused, c.place(), err.Error())
		return
	case clipped:
		c.report.Add(Clipped, c.place(), "the box left the image by less than a pixel")
	}
	if len(c.image.Boxes) == maxBoxes {
		c.report.Add(Refused, c.place(), fmt.Sprintf("more than %d boxes in one image", maxBoxes))
		return
	}
	c.image.Boxes = append(c.image.Boxes, box)
}

// readDetails reads the attributes of a shape that stand in elements of their own.
func (c *cvatReader) readDetails(box *Box) error {
	for {
		element, err := c.xml.child()
		if err != nil || element == nil {
			return err
		}
		if element.Name.Local != "attribute" {
			c.lost.count(fmt.Sprintf("element %.60q of a shape", element.Name.Local))
			if err := c.xml.skip(); err != nil {
				return err
			}
			continue
		}
		name := cleanText(attribute(element, "name"))
		value, err := c.xml.text()
		if err != nil {
			return err
		}
		switch strings.ToLower(name) {
		case "truncated":
			box.Truncated = isTrue(value)
		case "difficult":
			box.Difficult = isTrue(value)
		case "occluded":
			box.Occluded = box.Occluded || isTrue(value)
		case "is_crowd", "iscrowd":
			box.Crowd = isTrue(value)
		default:
			c.lost.count(fmt.Sprintf("attribute %.60q of a shape", name))
		}
	}
}

// errOtherShape marks a shape that no box stands for.
var errOtherShape = errors.New("no box")

// cvatBox makes a box of a shape's attributes.
func cvatBox(shape *xml.StartElement) (box Box, err error) {
	box = Box{Class: cleanText(attribute(shape, "label")), Occluded: isTrue(strings.TrimSpace(attribute(shape, "occluded")))}
	if turned := attribute(shape, "rotation"); turned != "" {
		if box.Rotation, err = plainNumber("rotation", turned); err != nil {
			return box, err
		}
	}
	var at [4]float64
	switch shape.Name.Local {
	case "box":
		if at, err = numbers(shape, "xtl", "ytl", "xbr", "ybr"); err == nil && (at[2] < at[0] || at[3] < at[1]) {
			err = fmt.Errorf("corners in the wrong order: %v", at)
		}
		box.X, box.Y, box.W, box.H = at[0], at[1], at[2]-at[0], at[3]-at[1]
	case "ellipse":
		at, err = numbers(shape, "cx", "cy", "rx", "ry")
		box.X, box.Y, box.W, box.H = at[0]-at[2], at[1]-at[3], 2*at[2], 2*at[3]
	case "mask":
		at, err = numbers(shape, "left", "top", "width", "height")
		box.X, box.Y, box.W, box.H = at[0], at[1], at[2], at[3]
	case "polygon":
		box.X, box.Y, box.W, box.H, err = around(attribute(shape, "points"))
	default:
		return box, errOtherShape
	}
	return box, err
}

// numbers reads four attributes of an element.
func numbers(element *xml.StartElement, names ...string) (at [4]float64, err error) {
	for i, name := range names {
		if at[i], err = plainNumber(name, attribute(element, name)); err != nil {
			return at, err
		}
	}
	return at, nil
}

func plainNumber(name, text string) (float64, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("%s is not a number: %.20q", name, text)
	}
	return f, nil
}

// around is the rectangle around points that are written as x,y;x,y;….
func around(points string) (x, y, w, h float64, err error) {
	left, top, right, bottom := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for point := range strings.SplitSeq(points, ";") {
		px, py, found := strings.Cut(point, ",")
		if !found {
			return 0, 0, 0, 0, fmt.Errorf("points that are not pairs of numbers: %.20q", points)
		}
		fx, err := plainNumber("a point's x", px)
		if err != nil {
			return 0, 0, 0, 0, err
		}
		fy, err := plainNumber("a point's y", py)
		if err != nil {
			return 0, 0, 0, 0, err
		}
		left, right = min(left, fx), max(right, fx)
		top, bottom = min(top, fy), max(bottom, fy)
	}
	return left, top, right - left, bottom - top, nil
}
