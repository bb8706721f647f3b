package formats

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
)

// YOLOPlace is where an image and its labels lie in a YOLO data set.
type YOLOPlace struct {
	// Image and Labels are paths within the data set: images/SPLIT/ID.ext and labels/SPLIT/ID.txt. Where a folder of the id is
	// called images too, it is the last of them that becomes labels: there the tools look.
	Image, Labels string
	// Renamed is set where the id is not the key without its extension, since another image of the split has that id.
	Renamed bool
}

// YOLOPlaces gives each image its place; the zero value is ready. YOLO drops extensions, so that a.png beside a.jpg needs
// another id: the second becomes a_png.
type YOLOPlaces struct {
	taken map[string]bool
}

// Place returns the place of the image key in a split; each must be asked for once, in the same order for the same result.
func (p *YOLOPlaces) Place(split, key string) YOLOPlace {
	if p.taken == nil {
		p.taken = map[string]bool{}
	}
	extension := path.Ext(key)
	id, renamed := split+"/"+stem(key), false
	for p.taken[id] {
		id += "_" + strings.TrimPrefix(extension, ".")
		renamed = true
	}
	p.taken[id] = true
	before, after, _ := cutLastFolder(yoloImages+"/"+id, yoloImages)
	return YOLOPlace{Image: yoloImages + "/" + id + extension, Labels: path.Join(before, yoloLabels, after) + ".txt", Renamed: renamed}
}

// YOLO writes the label files of a data set with these classes, which are numbered from 0 in their order.
type YOLO struct {
	classes []string
	number  map[string]int
	known   map[string]bool
	// oriented: every line holds the four corners of a box, else its centre and its size.
	oriented bool
	line     []byte
}

// NewYOLO returns a writer of the classes. An oriented data set holds rotated boxes exactly, one that is not the upright
// rectangle around them.
func NewYOLO(classes []string, oriented bool) *YOLO {
	y := &YOLO{classes: classes, number: map[string]int{}, known: map[string]bool{}, oriented: oriented}
	for i, class := range classes {
		y.number[class], y.known[class] = i, true
	}
	return y
}

// WriteSet writes the data.yaml of a data set with these splits; it lies in the data set's own folder.
func (y *YOLO) WriteSet(w io.Writer, set Set, splits []string) error {
	out := bufio.NewWriter(w)
	put := func(format string, args ...any) {
		_, _ = fmt.Fprintf(out, format, args...) // Flush returns the error
	}
	put("# %s, version %s, sha256 %s\n", set.Name, set.Version, set.Hash)
	for _, split := range splits {
		put("%s: %s/%s\n", split, yoloImages, split)
	}
	put("nc: %d\nnames:\n", len(y.classes))
	quoted := json.NewEncoder(out) // a string of JSON is one of YAML
	quoted.SetEscapeHTML(false)
	for i, class := range y.classes {
		put("  %d: ", i)
		if err := quoted.Encode(class); err != nil {
			return err
		}
	}
	return out.Flush()
}

// Write writes the label file of a labeled image: numbers from 0 to 1 in the shortest form that reads back as the same
// float64. What leaves the image is cut off, since YOLO takes nothing beyond. The report names what was lost; the error also
// says that the image is not labeled or its size not known, which an empty file would hide.
func (y *YOLO) Write(w io.Writer, im Image) (Report, error) {
	var report Report
	if !im.Labeled || im.Width <= 0 || im.Height <= 0 {
		return report, fmt.Errorf("write YOLO: %s is not labeled, or of unknown size", im.Key)
	}
	out := bufio.NewWriter(w)
	for _, box := range im.Boxes {
		if !writable(&report, y.known, im.Key, box) {
			continue
		}
		y.line = strconv.AppendInt(y.line[:0], int64(y.number[box.Class]), 10)
		numbers, clipped, ok := y.fractions(box, float64(im.Width), float64(im.Height))
		if !ok {
			report.Add(Refused, im.Key, "box outside the image: "+coordinates(box))
			continue
		}
		y.lose(&report, im.Key, box, clipped)
		for _, v := range numbers {
			y.line = strconv.AppendFloat(append(y.line, ' '), v, 'f', -1, 64)
		}
		if _, err := out.Write(append(y.line, '\n')); err != nil {
			return report, err
		}
	}
	return report, out.Flush()
}

// lose reports what of a box YOLO does not hold.
func (y *YOLO) lose(report *Report, key string, box Box, clipped bool) {
	for _, l := range [...]struct {
		is     bool
		kind   Kind
		reason string
	}{
		{box.Rotation != 0 && !y.oriented, Rounded, "rotated box written as the upright rectangle around it"},
		{clipped, Clipped, "box cut off at the edge of the image"},
		{box.Crowd, LeftOut, "the mark of a crowd, which YOLO does not have"},
		{box.Occluded || box.Truncated || box.Difficult, LeftOut, "marks (occluded, truncated, difficult), which YOLO does not have"},
		{box.Scored, LeftOut, "the score, which a label of YOLO does not have"},
		{box.Area != 0, LeftOut, "the area, which YOLO does not have"},
	} {
		if l.is {
			report.Add(l.kind, key, l.reason)
		}
	}
}

// fractions are the numbers of a box's line; ok is false if nothing of it lies in the image.
func (y *YOLO) fractions(box Box, width, height float64) (numbers []float64, clipped, ok bool) {
	if !y.oriented {
		x, top, w, h := box.Hull()
		x, w, farX := fitSpan(x, w, width)
		top, h, farY := fitSpan(top, h, height)
		return []float64{(x + w/2) / width, (top + h/2) / height, w / width, h / height}, max(farX, farY) > noise, w > 0 && h > 0
	}
	inside := false
	for _, c := range box.corners() {
		x, y := min(max(c.x, 0), width), min(max(c.y, 0), height)
		clipped = clipped || max(c.x-x, x-c.x, c.y-y, y-c.y) > noise
		inside = inside || x == c.x && y == c.y
		numbers = append(numbers, x/width, y/height)
	}
	cx, cy := box.X+box.W/2, box.Y+box.H/2
	return numbers, clipped, inside || cx > 0 && cy > 0 && cx < width && cy < height
}
