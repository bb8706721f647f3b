package formats

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

const (
	// maxYOLO bounds one label file and maxYOLORow one line of it, in bytes; a detailed outline is some 100 KB.
	maxYOLO    = 64 << 20
	maxYOLORow = 4 << 20
)

// ReadYOLO reads one label file of YOLO: a line a box, "class cx cy w h" in fractions of the image's size, or the class and
// the four corners of an oriented box, either of them with a score behind. An empty file is a negative. Of outlines the box
// around them is taken, and key points are left out, where the set says how many there are. Lines that cannot be read are
// refused one by one. The error says that the file is no label file, larger than 64 MB, or names classes where set has no
// names at all.
func ReadYOLO(r io.Reader, set *YOLOSet) (*Fractions, Report, error) {
	limited := &io.LimitedReader{R: r, N: maxYOLO + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 0, 64<<10), maxYOLORow)
	y := yoloReader{set: set, found: &Fractions{}}
	for lines.Scan() {
		line := lines.Bytes()
		if y.line++; y.line == 1 {
			line = bytes.TrimPrefix(line, []byte("\uFEFF"))
		}
		if err := y.read(line); err != nil {
			return nil, y.report, err
		}
	}
	if limited.N == 0 {
		return nil, y.report, fmt.Errorf("larger than %d MB", maxYOLO>>20)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, y.report, fmt.Errorf("line %d is longer than %d MB", y.line+1, maxYOLORow>>20)
	} else if err != nil {
		return nil, y.report, err
	}
	y.settleShapes()
	return y.found, y.report, nil
}

type yoloReader struct {
	set      *YOLOSet
	found    *Fractions
	report   Report
	line     int
	numbers  []float64
	outlines bool // the file has outlines, so that four points are one too
}

// refuse leaves out the box of a line.
func (y *yoloReader) refuse(reason string) {
	y.found.faulty++
	y.report.Add(Refused, y.place(), reason)
}

func (y *yoloReader) place() string { return "line " + strconv.Itoa(y.line) }

// read reads one line. The error ends the file.
func (y *yoloReader) read(line []byte) error {
	fields := bytes.Fields(line)
	if len(fields) == 0 {
		return nil
	}
	if bytes.IndexByte(line, 0) >= 0 {
		return errors.New("zero bytes: this is not a text file")
	}
	class, err := y.class(string(fields[0]))
	if err != nil {
		return err
	}
	if class == "" {
		return nil // refused
	}
	y.numbers = y.numbers[:0]
	for _, field := range fields[1:] {
		f, err := strconv.ParseFloat(string(field), 64)
		if err != nil {
			f = math.NaN()
		}
		y.numbers = append(y.numbers, f)
	}
	if !finite(y.numbers) {
		y.refuse("a value that is not a number")
		return nil
	}
	return y.box(class)
}

// class is the name of the class of a line; empty if the line is refused.
func (y *yoloReader) class(text string) (string, error) {
	number, ok := classNumber(text)
	if !ok {
		y.refuse(fmt.Sprintf("the class is not a number from 0: %.20q", text))
		return "", nil
	}
	if len(y.set.Names) == 0 {
		return "", errors.New("no names of the classes: add the data.yaml, or classes.txt, that belongs to it")
	}
	name := y.set.Names[number]
	if name == "" {
		y.refuse(fmt.Sprintf("class %d has no name: there are names of %d classes", number, len(y.set.Names)))
	}
	return name, nil
}

// classNumber reads the number of a class, which some tools write as 3.0.
func classNumber(text string) (number int, ok bool) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || f < 0 || f > 1e9 {
		return 0, false
	}
	return int(f), true
}

// box keeps the box that the numbers of a line are of.
func (y *yoloReader) box(class string) error {
	row := fraction{Box: Box{Class: class}, place: y.place()}
	numbers, n := y.numbers, len(y.numbers)
	if key := y.set.keyPoints; key > 0 && (n == 4+key || n == 5+key) {
		y.report.Add(LeftOut, "", "key points")
		numbers = append(numbers[:4:4], numbers[4+key:]...)
		n = len(numbers)
	}
	score := n%2 == 1
	if score {
		n--
		row.Score, row.Scored = numbers[n], true
	}
	switch {
	case n == 4:
		copy(row.at[:], numbers)
	case n == 8:
		row.shape = shapeCorners
		copy(row.at[:], numbers)
	case n >= 6:
		y.outlines = true
		outline(&row, numbers[:n])
		y.report.Add(Rounded, "", "outline: only the box around it is kept")
	default:
		y.refuse(fmt.Sprintf("expected a class with 4 numbers, or 8 of an oriented box, got %d", len(y.numbers)))
		return nil
	}
	return y.found.add(row)
}

// outline makes row the box around points.
func outline(row *fraction, points []float64) {
	left, top, right, bottom := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for pair := range slices.Chunk(points, 2) {
		left, right = min(left, pair[0]), max(right, pair[0])
		top, bottom = min(top, pair[1]), max(bottom, pair[1])
	}
	row.shape, row.at = shapeCentre, [8]float64{(left + right) / 2, (top + bottom) / 2, right - left, bottom - top}
}

// settleShapes takes four points for an outline where others of the file are.
func (y *yoloReader) settleShapes() {
	for i := range y.found.rows {
		if row := &y.found.rows[i]; y.outlines && row.shape == shapeCorners {
			points := row.at
			outline(row, points[:])
			y.report.Add(Rounded, "", "outline: only the box around it is kept")
		}
	}
}
