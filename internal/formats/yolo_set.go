package formats

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// YOLOSet is what a data set of YOLO says of its classes.
type YOLOSet struct {
	// Names are those of the classes, by their numbers.
	Names map[int]string

	keyPoints int // how many numbers of a line are of key points
}

const (
	maxYAML       = 1 << 20 // bytes of a data.yaml
	maxYAMLDepth  = 20
	maxYAMLColumn = 200 // where the last key or entry of a line may begin
	maxClasses    = 100_000
)

// ReadYOLOSet reads a data.yaml: its names, as a list or by numbers, and the shape of its key points. The error says that it
// is no YAML, larger than 1 MB, nested deeply, refers to itself, or has no names.
func ReadYOLOSet(r io.Reader) (*YOLOSet, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxYAML+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxYAML {
		return nil, fmt.Errorf("larger than %d MB", maxYAML>>20)
	}
	if err := plainYAML(string(content)); err != nil {
		return nil, err
	}
	var document struct {
		Names     any   `yaml:"names"`
		KeyPoints []int `yaml:"kpt_shape"`
	}
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, errors.New("not a data.yaml: " + cleanText(firstLine(err.Error())))
	}
	set := &YOLOSet{Names: map[int]string{}}
	switch names := document.Names.(type) {
	case []any:
		for i, name := range names {
			set.Names[i] = plainName(name)
		}
	case map[string]any:
		for number, name := range names {
			n, err := strconv.Atoi(number)
			if err != nil || n < 0 {
				return nil, fmt.Errorf("names has the number %.20q", number)
			}
			set.Names[n] = plainName(name)
		}
	default:
		return nil, errors.New("it has no names of classes")
	}
	if k := document.KeyPoints; len(k) == 2 && k[0] > 0 && k[0] < 10_000 && (k[1] == 2 || k[1] == 3) {
		set.keyPoints = k[0] * k[1]
	}
	return set, nil
}

// plainName is a scalar of YAML as the name that it was meant to be.
func plainName(name any) string {
	if name == nil {
		return "null"
	}
	return cleanText(fmt.Sprint(name))
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// plainYAML refuses what a data.yaml has no need for and a parser can be hurt with: references, and deep nesting.
func plainYAML(content string) error {
	depth := 0
	for _, t := range lexer.Tokenize(content) {
		key := t
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return errors.New("a data.yaml with references (&, *) is not read")
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth--
		case token.MappingValueType:
			key = t.Prev
		case token.SequenceEntryType, token.MappingKeyType:
		default:
			continue
		}
		if depth > maxYAMLDepth || depth == 0 && key != nil && key.Position.Column > maxYAMLColumn {
			return errors.New("a data.yaml that is nested deeply is not read")
		}
	}
	return nil
}

// ReadYOLONames reads a list of the names of classes, one a line: classes.txt, obj.names.
func ReadYOLONames(r io.Reader) (*YOLOSet, error) {
	limited := &io.LimitedReader{R: r, N: maxYAML + 1}
	set, lines := &YOLOSet{Names: map[int]string{}}, bufio.NewScanner(limited)
	for lines.Scan() && len(set.Names) < maxClasses {
		set.Names[len(set.Names)] = cleanText(lines.Bytes())
	}
	if limited.N == 0 {
		return nil, fmt.Errorf("larger than %d MB", maxYAML>>20)
	}
	for n := len(set.Names) - 1; n >= 0 && set.Names[n] == ""; n-- {
		delete(set.Names, n) // empty lines at the end
	}
	if err := lines.Err(); err != nil || len(set.Names) == 0 {
		return nil, errors.Join(errors.New("it has no names of classes"), err)
	}
	return set, nil
}

// The folders of YOLO.
const (
	yoloImages = "images"
	yoloLabels = "labels"
)

// YOLOMedia returns the key of the image, among those of media, that the label file at txtKey is about: labels/a/b.txt goes
// with images/a/b of any extension, and a/labels/b.txt with a/images/b; else the image lies beside it. The error is
// ErrNoMedia or ErrManyMedia.
func YOLOMedia(media *Media, txtKey string) (string, error) {
	id := stem(txtKey)
	before, after, found := cutLastFolder(id, yoloLabels)
	if !found {
		return media.FindStem(id)
	}
	if key, err := media.FindStem(path.Join(before, yoloImages, after)); err == nil {
		return key, nil
	}
	return media.FindStem(path.Join(before, after))
}

// YOLOKey returns the key of an item whose image lies at mediaKey in a YOLO data set: the path without its folder "images".
func YOLOKey(mediaKey string) string {
	before, after, _ := cutLastFolder(mediaKey, yoloImages)
	return path.Join(before, after)
}

// cutLastFolder splits a path around the last folder called name, in upper or lower case; without one, before is the path.
func cutLastFolder(key, name string) (before, after string, found bool) {
	parts := strings.Split(key, "/")
	for i := len(parts) - 2; i >= 0; i-- {
		if strings.EqualFold(parts[i], name) {
			return strings.Join(parts[:i], "/"), strings.Join(parts[i+1:], "/"), true
		}
	}
	return key, "", false
}
