package formats

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strconv"
	"strings"
)

// ReadLabelStudio reads tasks in Label Studio's own JSON from a stream, a list of them or a single one, and yields the image of
// each with the rectangles of one annotation: the one marked as ground truth, else the newest. A task that was skipped, or has
// no annotation, is not labeled; an annotation without results is a negative. Rectangles are in pixels, or in Fractions where
// no result says how large the image is; results of other types are left out by name, and an annotation whose shapes are all
// of such types labels nothing. Predictions are not annotations. Memory is that of one task and of the names. Boxes are checked against their image unless
// asWritten is set: then they only need to be finite. The error is the first of the stream, of JSON's syntax, or of yield;
// images that came before it were yielded. What is wrong with single records stands in the report.
func ReadLabelStudio(r io.Reader, asWritten bool, yield func(Image) error) (Report, error) {
	l := &labelStudioReader{scan: newJSONScanner(r), asWritten: asWritten, yield: yield, keys: map[string]bool{}, lost: tally{}}
	l.scan.brief = true
	var isList, isTask bool
	if l.scan.peek() == '[' {
		isList = l.scan.array(l.readTask)
	} else {
		isTask = l.scan.peek() == '{'
		l.readTask()
	}
	if l.failed == nil {
		l.scan.end()
		l.failed = l.scan.err
	}
	if l.failed == nil && !isList && !isTask {
		l.failed = errors.New("this is no JSON of Label Studio: expected a list of tasks")
	}
	l.lost.report(&l.report, "results")
	return l.report, l.failed
}

type labelStudioReader struct {
	scan      *jsonScanner
	asWritten bool
	yield     func(Image) error
	failed    error // of yield
	keys      map[string]bool
	report    Report
	lost      tally // results that are not read, by type

	task   labelStudioTask
	answer labelStudioAnswer // the annotation that is being read
	region labelStudioRegion
}

// labelStudioTask is the task that is being read.
type labelStudioTask struct {
	number       int // in the file, from 1
	id           string
	image        string // the address of its image
	imageRank    int
	best         *labelStudioAnswer
	answers      int // that were not skipped
	skipped      int
	isAnnotation bool // the object is an annotation with its task in it
}

// labelStudioAnswer is one annotation.
type labelStudioAnswer struct {
	cancelled, groundTruth bool
	at                     string // when it was changed
	rows                   Fractions
	width, height          int
	others                 int // shapes that are no rectangles
	report                 Report
}

// labelStudioRegion is one result of an annotation.
type labelStudioRegion struct {
	kind, id      string
	width, height int
	turned        float64 // of the image under it
	index         float64 // of the image in a task of several
	at            [5]float64
	has           uint8 // bits of at
	labels        []string
}

func (l *labelStudioReader) place() string { return "task " + l.task.id }

// readTask reads one task and yields its image unless that is refused.
func (l *labelStudioReader) readTask() {
	if l.failed != nil {
		l.scan.skip()
		return
	}
	l.task = labelStudioTask{number: l.task.number + 1}
	l.task.id = "number " + strconv.Itoa(l.task.number) + " of the list"
	l.answer = labelStudioAnswer{}
	isObject := l.scan.object(l.readTaskField)
	if l.scan.err != nil {
		return
	}
	if !isObject {
		l.report.Add(Refused, l.place(), "not an object")
		return
	}
	if l.task.isAnnotation {
		l.endAnswer()
	}
	if err := l.emit(); err != nil {
		l.failed = err
	}
}

func (l *labelStudioReader) readTaskField(key []byte) {
	switch string(key) {
	case "id":
		if id := l.scan.value(); id != "" && !l.task.isAnnotation {
			l.task.id = id
		}
	case "data":
		l.scan.object(l.readDataField)
	case "task":
		if l.scan.peek() == '{' {
			l.scan.object(l.readTaskField)
		} else {
			l.scan.skip()
		}
	case "annotations", "completions":
		l.scan.array(func() {
			l.answer = labelStudioAnswer{}
			if l.scan.object(l.readAnswerField) {
				l.endAnswer()
			}
		})
	case "result":
		l.task.isAnnotation = true
		l.readAnswerField(key)
	case "was_cancelled", "ground_truth", "created_at", "updated_at":
		l.readAnswerField(key)
	case "predictions":
		n := 0
		l.scan.array(func() { n++; l.scan.skip() })
		l.report.add(Loss{ID: "predictions", Kind: LeftOut, Reason: "predictions are not annotations", Count: n})
	default:
		l.scan.skip()
	}
}

// readDataField keeps the value that is the image of the task: one with the name of an image file, best under "image".
func (l *labelStudioReader) readDataField(key []byte) {
	name := string(key)
	quoted, ok := l.scan.scalar()
	if !quoted || !ok {
		return
	}
	value, rank := string(l.scan.word), 0
	if isImageName(value) {
		rank += 2
	}
	if strings.EqualFold(name, "image") || strings.EqualFold(name, "img") {
		rank++
	}
	if rank > l.task.imageRank {
		l.task.image, l.task.imageRank = value, rank
	}
}

func isImageName(value string) bool {
	value, _, _ = strings.Cut(strings.ToLower(value), "?")
	switch path.Ext(value) {
	case ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif":
		return true
	}
	return strings.HasPrefix(value, "data:image/") || strings.HasPrefix(value, "/data/local-files/")
}

func (l *labelStudioReader) readAnswerField(key []byte) {
	switch string(key) {
	case "was_cancelled":
		l.answer.cancelled = l.scan.truth()
	case "ground_truth":
		l.answer.groundTruth = l.scan.truth()
	case "created_at", "updated_at":
		l.answer.at = max(l.answer.at, l.scan.value())
	case "result":
		l.scan.array(l.readRegion)
	default:
		l.scan.skip()
	}
}

// endAnswer keeps the annotation if it counts for more than those before.
func (l *labelStudioReader) endAnswer() {
	if l.answer.cancelled {
		l.task.skipped++
		return
	}
	l.task.answers++
	best := l.task.best
	if best == nil || l.answer.groundTruth && !best.groundTruth || l.answer.groundTruth == best.groundTruth && l.answer.at >= best.at {
		kept := l.answer
		l.task.best = &kept
	}
}

// readRegion reads one result.
func (l *labelStudioReader) readRegion() {
	region := &l.region
	*region = labelStudioRegion{labels: region.labels[:0]}
	isObject := l.scan.object(func(key []byte) {
		switch string(key) {
		case "type":
			region.kind = l.scan.value()
		case "id":
			region.id = l.scan.value()
		case "original_width":
			region.width = l.side()
		case "original_height":
			region.height = l.side()
		case "image_rotation":
			region.turned = l.scan.number()
		case "item_index":
			region.index = l.scan.number()
		case "value":
			l.scan.object(l.readValueField)
		default:
			l.scan.skip()
		}
	})
	if !isObject || l.scan.err != nil {
		return
	}
	if reason := l.keep(); reason != "" {
		l.answer.report.Add(Refused, l.regionPlace(), reason)
		l.answer.rows.faulty++
	}
}

func (l *labelStudioReader) regionPlace() string {
	return fmt.Sprintf("%s: result %.60q", l.place(), l.region.id)
}

func (l *labelStudioReader) side() int {
	f := l.scan.number()
	if !(f >= 1 && f <= maxSide) || f != math.Trunc(f) {
		return 0
	}
	return int(f)
}

// labelStudioNumbers are the numbers of a rectangle.
var labelStudioNumbers = [...]string{"x", "y", "width", "height", "rotation"}

func (l *labelStudioReader) readValueField(key []byte) {
	region := &l.region
	for i, name := range labelStudioNumbers {
		if string(key) == name {
			region.at[i] = l.scan.number()
			region.has |= 1 << i
			return
		}
	}
	switch string(key) {
	case "rectanglelabels", "labels":
		if l.scan.peek() == '"' {
			region.labels = append(region.labels, l.scan.value())
			return
		}
		l.scan.array(func() {
			if label := l.scan.value(); label != "" && len(region.labels) < 100 {
				region.labels = append(region.labels, label)
			}
		})
	default:
		l.scan.skip()
	}
}

// labelStudioShapes are the types of results that mark a place in the image, beside rectangles with labels.
var labelStudioShapes = map[string]bool{
	"rectangle": true, "polygonlabels": true, "polygon": true, "ellipselabels": true, "ellipse": true, "brushlabels": true, "brush": true,
	"keypointlabels": true, "keypoint": true, "vectorlabels": true, "vector": true, "bitmask": true, "bitmasklabels": true, "videorectangle": true,
}

// keep adds the box of the result to the annotation, or says why it is refused.
func (l *labelStudioReader) keep() (refusal string) {
	region, answer := &l.region, &l.answer
	const rectangle = 1<<0 | 1<<1 | 1<<2 | 1<<3
	isBox := region.kind == "rectanglelabels" || region.kind == "labels" && region.has&rectangle == rectangle
	if !isBox {
		l.lost.count(fmt.Sprintf("result of type %.60q", cmp.Or(region.kind, "none")))
		if labelStudioShapes[region.kind] {
			answer.others++
		}
		return ""
	}
	switch {
	case region.has&rectangle != rectangle:
		return "no x, y, width and height"
	case len(region.labels) == 0:
		return "no label"
	case !finite(region.at[:]):
		return "a value that is not a number"
	case region.turned != 0 && !math.IsNaN(region.turned):
		return fmt.Sprintf("made on the image turned by %g degrees", region.turned)
	case region.index > 0:
		return "of another image than the first of its task"
	}
	if len(region.labels) > 1 {
		answer.report.Add(LeftOut, l.regionPlace(), "further labels of one rectangle")
	}
	if region.width > 0 && region.height > 0 {
		if answer.width > 0 && (answer.width != region.width || answer.height != region.height) {
			return fmt.Sprintf("for an image of %d×%d, and others of its task for %d×%d", region.width, region.height, answer.width, answer.height)
		}
		answer.width, answer.height = region.width, region.height
	}
	row := fraction{Box: Box{Class: region.labels[0], Rotation: turn(region.at[4])}, place: l.regionPlace(), shape: shapePivot}
	for i := range 4 {
		row.at[i] = region.at[i] / 100
	}
	if err := answer.rows.add(row); err != nil {
		return err.Error()
	}
	return ""
}

// emit yields the image of the task.
func (l *labelStudioReader) emit() error {
	im, refusal := l.image()
	if refusal != "" {
		l.report.Add(Refused, l.place(), refusal)
		return nil
	}
	l.keys[im.Key] = true
	best := l.task.best
	if best != nil {
		l.report.Merge("", best.report)
	}
	switch {
	case best == nil && l.task.skipped > 0:
		l.report.Add(LeftOut, l.place(), "skipped by its labeler: not labeled")
	case best == nil:
	case best.rows.Len() == 0 && best.others > 0:
		l.report.Add(LeftOut, l.place(), "it has shapes, and no rectangles among them: it is not taken for a negative")
	case best.width > 0:
		key, also := im.Key, im.Also
		var report Report
		im, report = best.rows.Pixels(key, best.width, best.height, l.asWritten)
		im.Also = also
		l.report.Merge("", report)
	case best.rows.Len() > 0:
		im.Labeled, im.Fractions = true, &best.rows
	case best.rows.faulty > 0:
		l.report.Add(LeftOut, l.place(), noNegative)
	default:
		im.Labeled = true
	}
	if l.task.answers > 1 {
		l.report.Add(LeftOut, l.place(), fmt.Sprintf("%d of %d annotations: the one marked as ground truth, else the newest, is kept", l.task.answers-1, l.task.answers))
	}
	return l.yield(im)
}

// image names the image of the task; it returns why the task is refused.
func (l *labelStudioReader) image() (im Image, refusal string) {
	if l.task.image == "" {
		return im, "no image in its data: export as JSON, not as JSON-MIN, from a project of images"
	}
	name, also, err := labelStudioName(l.task.image)
	if err != nil {
		return im, err.Error()
	}
	if im.Key, err = CleanKey(name); err != nil {
		return im, err.Error()
	}
	if also != "" {
		if im.Also, err = CleanKey(also); err != nil {
			return im, err.Error()
		}
	}
	if l.keys[im.Key] && im.Also != "" {
		im.Key, im.Also = im.Also, "" // two uploads of one name
	}
	if l.keys[im.Key] {
		return im, "another task is about the same image"
	}
	return im, ""
}
