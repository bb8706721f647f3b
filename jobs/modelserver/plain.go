package modelserver

import (
	"context"
	"encoding/json"

	"fiducial/internal/models"
	"fiducial/internal/speech"
	"fiducial/store"
)

// plain asks servers that take and answer one JSON object: the product's own protocol.
type plain struct {
	*caller

	server store.ModelServer
}

// plainQuestion is what is asked. Sound and images come as data: URLs, so that the server needs nothing of ours to read them.
type plainQuestion struct {
	ID    string  `json:"id"`
	Text  *string `json:"text,omitempty"`
	Audio string  `json:"audio_url,omitempty"`
	Image string  `json:"image_url,omitempty"`
}

// plainAnswer is what is answered: text of a recognizer or a formatting model, label or labels of one that says what words mean, boxes
// of a detector.
type plainAnswer struct {
	Text       *string      `json:"text"`
	Label      *string      `json:"label"`
	Labels     []plainLabel `json:"labels"`
	Boxes      []plainBox   `json:"boxes"`
	Confidence *float64     `json:"confidence"`
	Words      []plainWord  `json:"words"`
}

// plainWord is a word; where it begins and ends may be missing.
type plainWord struct {
	Word       string   `json:"word"`
	Start      float64  `json:"start"`
	End        float64  `json:"end"`
	Confidence *float64 `json:"confidence"`
}

// plainLabel is a label: its name alone, or an object.
type plainLabel struct {
	Label      string   `json:"label"`
	Confidence *float64 `json:"confidence"`
	Begin      *float64 `json:"begin"`
	Start      *float64 `json:"start"`
	End        *float64 `json:"end"`
}

// UnmarshalJSON takes a name or an object.
func (l *plainLabel) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, &l.Label)
	}
	type object plainLabel
	return json.Unmarshal(text, (*object)(l))
}

type plainBox struct {
	Class      string   `json:"class"`
	Label      string   `json:"label"`
	X          float64  `json:"x"`
	Y          float64  `json:"y"`
	W          float64  `json:"w"`
	H          float64  `json:"h"`
	Rotation   float64  `json:"rotation"`
	Score      *float64 `json:"score"`
	Confidence *float64 `json:"confidence"`
}

// check looks whether anything answers at the address. A GET is no question, so a refusal of it is as good as an answer.
func (p *plain) check(ctx context.Context) error {
	err := p.get(ctx, p.base.String(), nil)
	if fault := models.FaultOf(err); fault != nil && (fault.Code == models.FaultStatus && fault.Status < 500 && fault.Status != 401 && fault.Status != 403 || fault.Code == models.FaultSize) {
		return nil
	}
	return err
}

func (p *plain) ask(ctx context.Context, in Input) (Output, error) {
	question := plainQuestion{ID: in.ID}
	var err error
	switch {
	case readsText(p.server.Kind):
		question.Text = &in.Text
	case p.server.Kind == "detector":
		question.Image, err = in.dataURL(ctx, p.server.Kind)
	default:
		question.Audio, err = in.dataURL(ctx, p.server.Kind)
	}
	if err != nil {
		return Output{}, err
	}
	var answer plainAnswer
	if err := p.postJSON(ctx, p.base.String(), question, &answer); err != nil {
		return Output{}, err
	}
	return p.output(&answer)
}

func (p *plain) output(a *plainAnswer) (Output, error) {
	task := p.server.Task()
	if task == models.TaskDetection {
		return a.boxes(p.server.Options)
	}
	if task == models.TaskSpeech {
		return a.speech()
	}
	found, err := a.found()
	if err != nil {
		return Output{}, err
	}
	return labelsOf(p.server.Options, task, found, a.Confidence)
}

func (a *plainAnswer) speech() (Output, error) {
	if a.Text == nil {
		return Output{}, &Fault{Code: models.FaultShape, Detail: "the answer has no text"}
	}
	out := Output{Text: *a.Text, Confidence: a.Confidence}
	for _, w := range a.Words {
		out.Words = append(out.Words, speech.HeardWord(w))
	}
	return out, nil
}

// found are the labels of an answer, as the model calls them.
func (a *plainAnswer) found() ([]models.Label, error) {
	if a.Label == nil && a.Labels == nil {
		return nil, &Fault{Code: models.FaultShape, Detail: "the answer has neither label nor labels"}
	}
	var found []models.Label
	if a.Label != nil {
		found = append(found, models.Label{Label: *a.Label, Confidence: a.Confidence})
	}
	for _, l := range a.Labels {
		begin := l.Begin
		if begin == nil {
			begin = l.Start
		}
		found = append(found, models.Label{Label: l.Label, Confidence: l.Confidence, Begin: begin, End: l.End})
	}
	return found, nil
}

func (a *plainAnswer) boxes(o models.Options) (Output, error) {
	if a.Boxes == nil {
		return Output{}, &Fault{Code: models.FaultShape, Detail: "the answer has no boxes"}
	}
	out := Output{Confidence: a.Confidence}
	for _, b := range a.Boxes {
		name, score := b.Class, b.Score
		if name == "" {
			name = b.Label
		}
		if score == nil {
			score = b.Confidence
		}
		out.Boxes = addBox(out.Boxes, o, name, models.Box{X: b.X, Y: b.Y, W: b.W, H: b.H, Rotation: b.Rotation}, score)
	}
	return out, nil
}
