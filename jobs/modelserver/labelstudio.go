package modelserver

import (
	"context"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"

	"fiducial/internal/models"
	"fiducial/store"
)

// labelStudio asks Label Studio's ML backends, as Label Studio does for pre-annotations. They are given no token of the product's: the sound or
// the image lies in the task itself.
type labelStudio struct {
	*caller

	server store.ModelServer
}

func (l *labelStudio) check(ctx context.Context) error {
	return l.get(ctx, l.sibling("/predict", "/health"), nil)
}

type labelStudioQuestion struct {
	Tasks       []labelStudioTask `json:"tasks"`
	LabelConfig string            `json:"label_config"`
	Params      struct{}          `json:"params"`
}

type labelStudioTask struct {
	ID          any               `json:"id"`
	Data        map[string]string `json:"data"`
	Annotations []struct{}        `json:"annotations"`
	Predictions []struct{}        `json:"predictions"`
}

type labelStudioAnswer struct {
	Results []struct {
		Result []labelStudioRegion `json:"result"`
		Score  *float64            `json:"score"`
	} `json:"results"`
}

type labelStudioRegion struct {
	Type   string           `json:"type"`
	Width  float64          `json:"original_width"`
	Height float64          `json:"original_height"`
	Score  *float64         `json:"score"`
	Value  labelStudioValue `json:"value"`
}

// labelStudioValue is the value of a region of any type that is read. Sizes are in percent of the image.
type labelStudioValue struct {
	X        float64          `json:"x"`
	Y        float64          `json:"y"`
	W        float64          `json:"width"`
	H        float64          `json:"height"`
	Rotation float64          `json:"rotation"`
	Start    json.RawMessage  `json:"start"`
	End      json.RawMessage  `json:"end"`
	Text     labelStudioTexts `json:"text"`
	Boxes    []string         `json:"rectanglelabels"`
	Labels   []string         `json:"labels"`
	Choices  labelStudioTexts `json:"choices"`
}

// labelStudioTexts is one text, or a list of them.
type labelStudioTexts []string

// UnmarshalJSON takes both.
func (t *labelStudioTexts) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		*t = make([]string, 1)
		return json.Unmarshal(text, &(*t)[0])
	}
	return json.Unmarshal(text, (*[]string)(t))
}

// variable finds the member of a task's data that a labeling interface shows.
var variable = regexp.MustCompile(`\bvalue\s*=\s*["']\$([\w.-]+)["']`)

// member is the name under which the item lies in the task's data.
func (l *labelStudio) member() string {
	if found := variable.FindStringSubmatch(l.server.Options.LabelConfig); found != nil {
		return found[1]
	}
	switch {
	case readsText(l.server.Kind):
		return "text"
	case l.server.Kind == "detector":
		return "image"
	}
	return "audio"
}

func (l *labelStudio) ask(ctx context.Context, in Input) (Output, error) {
	content := in.Text
	if !readsText(l.server.Kind) {
		var err error
		if content, err = in.dataURL(ctx, l.server.Kind); err != nil {
			return Output{}, err
		}
	}
	task := labelStudioTask{ID: in.ID, Data: map[string]string{l.member(): content}, Annotations: []struct{}{}, Predictions: []struct{}{}}
	if number, err := strconv.ParseInt(in.ID, 10, 64); err == nil {
		task.ID = number
	}
	var answer labelStudioAnswer
	question := labelStudioQuestion{Tasks: []labelStudioTask{task}, LabelConfig: l.server.Options.LabelConfig}
	if err := l.postJSON(ctx, l.at("/predict"), question, &answer); err != nil {
		return Output{}, err
	}
	if len(answer.Results) != 1 {
		return Output{}, &Fault{Code: models.FaultShape, Detail: "the answer has not one result for the one task"}
	}
	regions, score := answer.Results[0].Result, answer.Results[0].Score
	switch task := l.server.Task(); task {
	case models.TaskDetection:
		return l.boxes(regions, score, in)
	case models.TaskSpeech:
		return spokenRegions(regions, score)
	default:
		return labelsOf(l.server.Options, task, labeledRegions(regions), score)
	}
}

// boxes are the rectangles: in percent of the image, and rotated about their top left corner.
func (l *labelStudio) boxes(regions []labelStudioRegion, score *float64, in Input) (Output, error) {
	out := Output{Confidence: score}
	for _, r := range regions {
		names := r.Value.Boxes
		if r.Type == "labels" {
			names = r.Value.Labels
		}
		if len(names) == 0 {
			continue
		}
		width, height := float64(in.Width), float64(in.Height)
		if width == 0 || height == 0 {
			width, height = r.Width, r.Height
		}
		if !(width > 0 && height > 0) {
			return Output{}, &Fault{Code: models.FaultShape, Detail: "a rectangle is in percent of an image whose size nobody knows"}
		}
		confidence := r.Score
		if confidence == nil {
			confidence = score
		}
		out.Boxes = addBox(out.Boxes, l.server.Options, names[0], aboutCentre(r.Value, width, height), confidence)
	}
	return out, nil
}

// aboutCentre is a rectangle of Label Studio in pixels: the same place, as one that is rotated about its centre.
func aboutCentre(v labelStudioValue, width, height float64) models.Box {
	b := models.Box{X: v.X / 100 * width, Y: v.Y / 100 * height, W: v.W / 100 * width, H: v.H / 100 * height, Rotation: v.Rotation}
	sin, cos := math.Sincos(b.Rotation * math.Pi / 180)
	x, y := b.X+(b.W*cos-b.H*sin)/2, b.Y+(b.W*sin+b.H*cos)/2 // the centre
	b.X, b.Y = x-b.W/2, y-b.H/2
	return b
}

// spokenRegions joins the texts of text areas in their order.
func spokenRegions(regions []labelStudioRegion, score *float64) (Output, error) {
	out := Output{Confidence: score}
	var texts []string
	found := false
	for _, r := range regions {
		if r.Type == "textarea" {
			found = true
			texts = append(texts, r.Value.Text...)
		}
	}
	if !found {
		return Output{}, &Fault{Code: models.FaultShape, Detail: "the answer has no text area"}
	}
	out.Text = strings.Join(texts, " ")
	return out, nil
}

// labeledRegions are the choices, and the labels on stretches of time.
func labeledRegions(regions []labelStudioRegion) []models.Label {
	var found []models.Label
	for _, r := range regions {
		begin, end := secondsOf(r.Value.Start), secondsOf(r.Value.End)
		for _, name := range append(append([]string{}, r.Value.Choices...), r.Value.Labels...) {
			found = append(found, models.Label{Label: name, Confidence: r.Score, Begin: begin, End: end})
		}
	}
	return found
}

// secondsOf reads a time; elsewhere the same member is a place in a text, which is a string, and no time.
func secondsOf(text json.RawMessage) *float64 {
	var seconds float64
	if json.Unmarshal(text, &seconds) != nil || len(text) == 0 || string(text) == "null" {
		return nil
	}
	return &seconds
}
