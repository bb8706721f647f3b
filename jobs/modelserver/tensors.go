package modelserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"fiducial/internal/audio"
	"fiducial/internal/models"
)

// tensors are the outputs of an answer, by the names that the options give the roles.
type tensors struct {
	options models.Options
	list    []tensor
}

// read reads the numbers or texts of an output, whatever its shape, one after the other; ok is false where there is none.
func read[T string | float64](t tensors, role string) (values []T, ok bool, err error) {
	name := t.options.Output(role)
	at := slices.IndexFunc(t.list, func(t tensor) bool { return t.Name == name })
	if at < 0 {
		return nil, false, nil
	}
	if err := flatten(json.NewDecoder(bytes.NewReader(t.list[at].Data)), &values); err != nil {
		return nil, true, mismatch("the output %q holds other values than its role has", name)
	}
	return values, true, nil
}

// mostValues is how many values an output may have.
const mostValues = 1 << 20

// flatten reads a JSON list of values, or of lists of them: servers write tensors either way.
func flatten[T string | float64](d *json.Decoder, values *[]T) error {
	for depth := 0; ; {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF) && depth == 0:
			return nil
		case err != nil:
			return err
		}
		switch v := token.(type) {
		case json.Delim:
			switch v {
			case '[':
				depth++
			case ']':
				depth--
			default:
				return errors.New("an object in a tensor")
			}
		case T:
			if *values = append(*values, v); len(*values) > mostValues {
				return errors.New("too many values")
			}
		default:
			return errors.New("a value of another type")
		}
	}
}

// speech is the text of a recognizer or a formatting model.
func (t tensors) speech() (Output, error) {
	texts, ok, err := read[string](t, "text")
	switch {
	case err != nil:
		return Output{}, err
	case !ok || len(texts) != 1:
		return Output{}, mismatch("the answer has not one text in %q", t.options.Output("text"))
	}
	confidence, err := t.confidence()
	return Output{Text: texts[0], Confidence: confidence}, err
}

// confidence is that of the whole, nil without one.
func (t tensors) confidence() (*float64, error) {
	values, _, err := read[float64](t, "confidence")
	if err != nil || len(values) != 1 {
		return nil, err
	}
	return &values[0], nil
}

// labels are the labels by name, each with its confidence where there are as many, or the classes with a probability each.
func (t tensors) labels(task string) (Output, error) {
	names, ok, err := read[string](t, "label")
	if err != nil {
		return Output{}, err
	}
	confidences, _, err := read[float64](t, "confidence")
	if err != nil {
		return Output{}, err
	}
	if !ok {
		probabilities, has, err := read[float64](t, "probabilities")
		switch {
		case err != nil:
			return Output{}, err
		case !has:
			return Output{}, mismatch("the answer has neither %q nor %q", t.options.Output("label"), t.options.Output("probabilities"))
		case len(probabilities) != len(t.options.Classes):
			return Output{}, mismatch("the answer has %d probabilities, and the options name %d classes", len(probabilities), len(t.options.Classes))
		}
		names, confidences = t.options.Classes, probabilities
	}
	found := make([]models.Label, len(names))
	for i, name := range names {
		found[i].Label = name
		if len(confidences) == len(names) {
			found[i].Confidence = &confidences[i]
		}
	}
	return labelsOf(t.options, task, found, nil)
}

// boxes are the boxes of a detector: four numbers each in boxes, a name or a number among the options' classes in labels, and a score.
func (t tensors) boxes() (Output, error) {
	corners, ok, err := read[float64](t, "boxes")
	if err != nil || !ok || len(corners)%4 != 0 {
		return Output{}, errors.Join(err, mismatch("the answer has no boxes of four numbers in %q", t.options.Output("boxes")))
	}
	names, err := t.boxNames()
	if err != nil {
		return Output{}, err
	}
	scores, _, err := read[float64](t, "scores")
	if err != nil {
		return Output{}, err
	}
	if len(names) != len(corners)/4 || len(scores) != 0 && len(scores) != len(names) {
		return Output{}, mismatch("the answer has %d boxes, %d labels and %d scores", len(corners)/4, len(names), len(scores))
	}
	var out Output
	for i, name := range names {
		var score *float64
		if len(scores) > 0 {
			score = &scores[i]
		}
		out.Boxes = addBox(out.Boxes, t.options, name, boxOf(t.options.Boxes, [4]float64(corners[4*i:4*i+4])), score)
	}
	return out, nil
}

func (t tensors) boxNames() ([]string, error) {
	if names, ok, err := read[string](t, "labels"); ok && err == nil {
		return names, nil
	}
	numbers, ok, err := read[float64](t, "labels")
	if err != nil || !ok {
		return nil, errors.Join(err, mismatch("the answer has no labels of its boxes in %q", t.options.Output("labels")))
	}
	names := make([]string, len(numbers))
	for i, number := range numbers {
		at := int(min(max(number, -1), 1e6))
		if at < 0 || at >= len(t.options.Classes) || float64(at) != number {
			return nil, mismatch("a box has a class that the options do not name")
		}
		names[i] = t.options.Classes[at]
	}
	return names, nil
}

// boxOf reads four numbers as the options say they are meant.
func boxOf(form string, n [4]float64) models.Box {
	switch form {
	case "xywh":
		return models.Box{X: n[0], Y: n[1], W: n[2], H: n[3]}
	case "cxcywh":
		return models.Box{X: n[0] - n[2]/2, Y: n[1] - n[3]/2, W: n[2], H: n[3]}
	}
	return models.Box{X: n[0], Y: n[1], W: n[2] - n[0], H: n[3] - n[1]}
}

// samples are those of the sound, from -1 to 1, the mean of its channels.
func (in Input) samples(ctx context.Context) ([]float32, error) {
	content, _, err := in.bytes(ctx, "asr")
	if err != nil {
		return nil, err
	}
	sound, err := audio.Open(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, &Fault{Code: models.FaultItem}
	}
	samples := make([]float32, 0, sound.Frames)
	decoder := sound.Decode(0, sound.Frames)
	block := make([]float32, sound.Channels*4096)
	for {
		n, err := decoder.Read(block)
		for frame := range slices.Chunk(block[:n], sound.Channels) {
			sum := float32(0)
			for _, sample := range frame {
				sum += sample
			}
			samples = append(samples, sum/float32(sound.Channels))
		}
		if errors.Is(err, io.EOF) {
			return samples, nil
		}
		if err != nil {
			return nil, &Fault{Code: models.FaultItem}
		}
	}
}
