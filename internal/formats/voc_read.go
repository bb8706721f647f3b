package formats

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// maxVOC bounds one VOC file, in bytes; 2,000 boxes are some 700 KB.
const maxVOC = 8 << 20

// ReadVOC reads one Pascal VOC annotation file. With base 1, as in the original VOC, corners are inclusive pixels counted
// from 1: a box from 1 to 200 is 200 wide. With base 0, as many tools write, they are plain coordinates: x is xmin and the
// width xmax-xmin. The image is labeled; its key is the file's own filename, often without folders and sometimes without
// extension: VOCMedia finds the image that is meant. Objects without a usable box are refused one by one. The error says
// that the file is no VOC annotation, broken XML, or larger than 8 MB.
func ReadVOC(r io.Reader, base int) (Image, Report, error) {
	limited := &io.LimitedReader{R: r, N: maxVOC + 1}
	plain := xml.NewDecoder(limited)
	plain.CharsetReader = decodeCharset
	v := vocReader{base: float64(base), image: Image{Labeled: true}}
	v.xml = xml.NewTokenDecoder(&shallowXML{plain: plain})
	err := v.document()
	if limited.N == 0 {
		err = fmt.Errorf("larger than %d MB", maxVOC>>20)
	}
	if err != nil {
		return Image{}, v.report, fmt.Errorf("not a VOC annotation: %w", err)
	}
	v.fit()
	return v.image, v.report, nil
}

func decodeCharset(label string, input io.Reader) (io.Reader, error) {
	charset, err := htmlindex.Get(label)
	if err != nil {
		return nil, err
	}
	return charset.NewDecoder().Reader(input), nil
}

// shallowXML passes tokens on and fails where they nest too deeply, before anything keeps a stack of them.
type shallowXML struct {
	plain *xml.Decoder
	depth int
}

// Token implements xml.TokenReader.
func (s *shallowXML) Token() (xml.Token, error) {
	token, err := s.plain.RawToken()
	switch token.(type) {
	case xml.StartElement:
		s.depth++
	case xml.EndElement:
		s.depth--
	default:
	}
	if s.depth > maxDepth {
		return nil, fmt.Errorf("nested more than %d deep", maxDepth)
	}
	return token, err
}

type vocReader struct {
	xml    *xml.Decoder
	base   float64
	image  Image
	report Report
	number int   // of the object, from 1
	boxOf  []int // the number of the object that each of the image's boxes is of
}

type vocSize struct {
	Width  string `xml:"width"`
	Height string `xml:"height"`
	Depth  string `xml:"depth"`
}

type vocObject struct {
	Name      string     `xml:"name"`
	Pose      string     `xml:"pose"`
	Truncated string     `xml:"truncated"`
	Difficult string     `xml:"difficult"`
	Occluded  string     `xml:"occluded"`
	Corners   *vocBox    `xml:"bndbox"`
	Parts     []struct{} `xml:"part"`
}

type vocBox struct {
	XMin string `xml:"xmin"`
	YMin string `xml:"ymin"`
	XMax string `xml:"xmax"`
	YMax string `xml:"ymax"`
}

func (v *vocReader) document() error {
	root, err := v.nextElement()
	if err != nil {
		return err
	}
	if root == nil || root.Name.Local != "annotation" {
		return errors.New("the outermost element is not <annotation>")
	}
	for {
		element, err := v.nextElement()
		if err != nil || element == nil {
			return err
		}
		if err := v.element(element); err != nil {
			return err
		}
	}
}

// nextElement returns the next element that begins at this level, nil where the level ends.
func (v *vocReader) nextElement() (*xml.StartElement, error) {
	for {
		token, err := v.xml.Token()
		if errors.Is(err, io.EOF) {
			return nil, errTruncated
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			return &token, nil
		case xml.EndElement:
			return nil, nil
		default:
		}
	}
}

// element reads one element of the annotation.
func (v *vocReader) element(start *xml.StartElement) error {
	switch start.Name.Local {
	case "filename":
		return v.filename(start)
	case "size":
		var size vocSize
		err := v.xml.DecodeElement(&size, start)
		v.image.Width, v.image.Height, v.image.Depth = sideOf(size.Width), sideOf(size.Height), sideOf(size.Depth)
		return err
	case "segmented":
		var segmented string
		err := v.xml.DecodeElement(&segmented, start)
		if isTrue(strings.TrimSpace(segmented)) {
			v.report.Add(LeftOut, "", "the image's masks (segmented): only boxes are kept")
		}
		return err
	case "object":
		var object vocObject
		if err := v.xml.DecodeElement(&object, start); err != nil {
			return err
		}
		v.number++
		v.object(&object)
		return nil
	default:
		return v.xml.Skip()
	}
}

func (v *vocReader) filename(start *xml.StartElement) error {
	var name string
	if err := v.xml.DecodeElement(&name, start); err != nil {
		return err
	}
	name = cleanText(name)
	if name == "" {
		return nil
	}
	key, err := CleanKey(stripRoot(name))
	if err != nil {
		v.report.Add(Refused, "filename", err.Error())
		return nil
	}
	v.image.Key = key
	return nil
}

// sideOf reads a width, height or depth; 0 for one that cannot be true.
func sideOf(text string) int {
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(f >= 1 && f <= maxSide) || f != math.Trunc(f) {
		return 0
	}
	return int(f)
}

func (v *vocReader) place() string { return "object " + strconv.Itoa(v.number) }

// object keeps an object's box as it stands; the image's size may come later in the file.
func (v *vocReader) object(object *vocObject) {
	box := Box{
		Class:     cleanText(object.Name),
		Truncated: isTrue(strings.TrimSpace(object.Truncated)),
		Difficult: isTrue(strings.TrimSpace(object.Difficult)),
		Occluded:  isTrue(strings.TrimSpace(object.Occluded)),
	}
	if box.Class == "" {
		v.report.Add(Refused, v.place(), "no name")
		return
	}
	if object.Corners == nil {
		v.report.Add(Refused, v.place(), "no bndbox")
		return
	}
	if err := v.corners(&box, object.Corners); err != nil {
		v.report.Add(Refused, v.place(), err.Error())
		return
	}
	if pose := cleanText(object.Pose); pose != "" && !strings.EqualFold(pose, "Unspecified") {
		v.report.Add(LeftOut, v.place(), "the pose")
	}
	if len(object.Parts) > 0 {
		v.report.Add(LeftOut, v.place(), "the parts of the object")
	}
	v.image.Boxes = append(v.image.Boxes, box)
	v.boxOf = append(v.boxOf, v.number)
}

// corners turns the corners of a file into a box.
func (v *vocReader) corners(box *Box, corners *vocBox) error {
	var at [4]float64
	for i, text := range [...]string{corners.XMin, corners.YMin, corners.XMax, corners.YMax} {
		f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return fmt.Errorf("a corner that is not a number: %.20q", text)
		}
		at[i] = f
	}
	if at[2] < at[0] || at[3] < at[1] {
		return fmt.Errorf("corners in the wrong order: %v", at)
	}
	for i := range at[:2] {
		if v.base == 1 && at[i] >= 0 && at[i] < 1 {
			v.report.Add(Clipped, v.place(), "a corner below 1 in a file counted from 1: it may be counted from 0 (--voc-base 0)")
			at[i] = 1
		}
	}
	box.X, box.Y = at[0]-v.base, at[1]-v.base
	box.W, box.H = at[2]-at[0]+v.base, at[3]-at[1]+v.base
	return nil
}

// fit checks the boxes against the image's size.
func (v *vocReader) fit() {
	kept := v.image.Boxes[:0]
	for i, box := range v.image.Boxes {
		v.number = v.boxOf[i]
		box, clipped, err := Fit(box, v.image.Width, v.image.Height)
		if err != nil {
			v.report.Add(Refused, v.place(), err.Error())
			continue
		}
		if clipped {
			v.report.Add(Clipped, v.place(), "the box left the image by less than a pixel")
		}
		kept = append(kept, box)
	}
	v.image.Boxes = kept
	if v.number > 0 && len(kept) == 0 {
		v.image.Labeled = false
		v.report.Add(LeftOut, "", noNegative)
	}
}

// VOCMedia returns the key of the image, among those of media, that the VOC file at xmlKey is about; filename is what the
// file itself says. The file's own place decides first: VOC pairs Annotations/a/b.xml with JPEGImages/a/b of any extension.
// The error is ErrNoMedia or ErrManyMedia.
func VOCMedia(media *Media, xmlKey, filename string) (string, error) {
	id := stem(xmlKey)
	var lookups []string
	if before, after, found := cutFolder(id, "Annotations"); found {
		lookups = append(lookups, path.Join(before, "JPEGImages", after), after)
	} else {
		lookups = append(lookups, id)
	}
	for _, lookup := range lookups {
		if key, err := media.FindStem(lookup); err == nil {
			return key, nil
		}
	}
	if filename != "" {
		if key, err := media.Find(filename); err == nil {
			return key, nil
		}
		if key, err := media.FindStem(filename); err == nil {
			return key, nil
		}
	}
	return media.FindStem(path.Base(id))
}

// VOCKey returns the key of an item whose image lies at mediaKey in a VOC data set: the path without JPEGImages, so that
// what was exported comes back under its own key.
func VOCKey(mediaKey string) string {
	if before, after, found := cutFolder(mediaKey, "JPEGImages"); found {
		return path.Join(before, after)
	}
	return mediaKey
}

// cutFolder splits a path around the first folder called name, in upper or lower case.
func cutFolder(key, name string) (before, after string, found bool) {
	parts := strings.Split(key, "/")
	for i, part := range parts[:len(parts)-1] {
		if strings.EqualFold(part, name) {
			return strings.Join(parts[:i], "/"), strings.Join(parts[i+1:], "/"), true
		}
	}
	return "", "", false
}
