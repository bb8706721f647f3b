package formats

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"path"
	"strings"
)

// VOCPlace is where an image lies in a VOC data set.
type VOCPlace struct {
	// ID is the line that names the image in ImageSets/Main.
	ID string
	// Image and Annotation are paths within the data set: JPEGImages/ID.ext and Annotations/ID.xml.
	Image, Annotation string
	// Renamed is set where the id is not the key without its extension, since another image has that id.
	Renamed bool
}

// VOCPlaces gives each image its place; the zero value is ready. VOC drops extensions, so that a.png beside a.jpg needs
// another id: the second becomes a_png.
type VOCPlaces struct {
	taken map[string]bool
}

// Place returns the place of the image key; each key must be asked for once, in the same order for the same result.
func (p *VOCPlaces) Place(key string) VOCPlace {
	if p.taken == nil {
		p.taken = map[string]bool{}
	}
	extension := path.Ext(key)
	id := stem(key)
	renamed := false
	for p.taken[id] {
		id += "_" + strings.TrimPrefix(extension, ".")
		renamed = true
	}
	p.taken[id] = true
	return VOCPlace{
		ID: id, Image: "JPEGImages/" + id + extension, Annotation: "Annotations/" + id + ".xml", Renamed: renamed,
	}
}

// WriteVOCSet writes a file of ImageSets/Main: the ids of a split, one a line.
func WriteVOCSet(w io.Writer, ids []string) error {
	out := bufio.NewWriter(w)
	for _, id := range ids {
		if _, err := out.WriteString(id + "\n"); err != nil {
			return err
		}
	}
	return out.Flush()
}

type vocDocument struct {
	XMLName   xml.Name          `xml:"annotation"`
	Folder    string            `xml:"folder"`
	Filename  string            `xml:"filename"`
	Width     int               `xml:"size>width"`
	Height    int               `xml:"size>height"`
	Depth     int               `xml:"size>depth"`
	Segmented int               `xml:"segmented"`
	Objects   []vocObjectRecord `xml:"object"`
}

type vocObjectRecord struct {
	Name      string `xml:"name"`
	Pose      string `xml:"pose"`
	Truncated int    `xml:"truncated"`
	Occluded  int    `xml:"occluded,omitempty"`
	Difficult int    `xml:"difficult"`
	XMin      int    `xml:"bndbox>xmin"`
	YMin      int    `xml:"bndbox>ymin"`
	XMax      int    `xml:"bndbox>xmax"`
	YMax      int    `xml:"bndbox>ymax"`
}

// WriteVOC writes the annotation file of a labeled image at its place, dataset as its folder: inclusive whole-pixel corners
// counted from 1. The report names what that lost; corners that are whole already come back the same from ReadVOC with base 1.
func WriteVOC(w io.Writer, im Image, place VOCPlace, dataset string) (Report, error) {
	var report Report
	if !im.Labeled {
		return report, fmt.Errorf("write VOC: %s is not labeled: a file of it would make it a negative", im.Key)
	}
	filename := strings.TrimPrefix(place.Image, "JPEGImages/")
	if place.Renamed {
		report.Add(Renamed, im.Key, "another image has the name without its extension: written as "+filename)
	}
	document := vocDocument{
		Folder: dataset, Filename: filename, Width: im.Width, Height: im.Height, Depth: im.Depth,
		Objects: make([]vocObjectRecord, 0, len(im.Boxes)),
	}
	if document.Depth == 0 {
		document.Depth = 3
	}
	for _, box := range im.Boxes {
		if object, ok := vocObjectOf(box, im, &report); ok {
			document.Objects = append(document.Objects, object)
		}
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "\t")
	if err := encoder.Encode(document); err != nil {
		return report, fmt.Errorf("write VOC: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return report, err
}

// vocObjectOf turns a box into whole pixels and reports what that changed; ok is false for a box that is refused.
func vocObjectOf(box Box, im Image, report *Report) (object vocObjectRecord, ok bool) {
	if _, _, err := Fit(box, 0, 0); err != nil {
		report.Add(Refused, im.Key, err.Error())
		return object, false
	}
	lost := [...]struct {
		is     bool
		kind   Kind
		reason string
	}{
		{box.Rotation != 0, Rounded, "rotated box written as the upright rectangle around it"},
		{box.Crowd, LeftOut, "the mark of a crowd, which VOC does not have"},
		{box.Scored, LeftOut, "the score, which VOC does not have"},
		{box.Area != 0, LeftOut, "the area, which VOC does not have"},
	}
	for _, l := range lost {
		if l.is {
			report.Add(l.kind, im.Key, l.reason)
		}
	}
	x, y, w, h := box.Hull()
	xmin, xmax, roundedX, clippedX := vocSpan(x, w, im.Width)
	ymin, ymax, roundedY, clippedY := vocSpan(y, h, im.Height)
	if xmax < xmin || ymax < ymin {
		report.Add(Refused, im.Key, "box outside the image: "+coordinates(box))
		return object, false
	}
	if roundedX || roundedY {
		report.Add(Rounded, im.Key, "corners rounded to whole pixels")
	}
	if clippedX || clippedY {
		report.Add(Clipped, im.Key, "box cut off at the edge of the image")
	}
	return vocObjectRecord{
		Name: box.Class, Pose: "Unspecified",
		Truncated: asInt(box.Truncated), Occluded: asInt(box.Occluded), Difficult: asInt(box.Difficult),
		XMin: xmin, YMin: ymin, XMax: xmax, YMax: ymax,
	}, true
}

// vocSpan returns the first and the last pixel of the span that starts at and has length, counted from 1, within side
// pixels (0: unknown). A span narrower than a pixel becomes the pixel that it begins in.
func vocSpan(at, length float64, side int) (first, last int, rounded, clipped bool) {
	from, to := math.Round(at), math.Round(at+length)
	rounded = from != at || to != at+length
	limit := float64(maxSide)
	if side > 0 {
		limit = float64(side)
	}
	if at < 0 || at+length > limit+noise {
		clipped = true
		from, to = min(max(from, 0), limit), min(to, limit)
	}
	if rounded && to <= from && at+length > 0 && at < limit {
		from = min(math.Floor(max(at, 0)), limit-1)
		to = from + 1
	}
	return int(from) + 1, int(to), rounded, clipped
}

func asInt(on bool) int {
	if on {
		return 1
	}
	return 0
}
