package metrics

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Predictions is what a file of predictions holds.
type Predictions struct {
	Truth, Predicted []string
	Classes          []string // nil if the file does not name them
	Confidence       []float64
	Probabilities    [][]float64
}

// ParsePredictions reads {"truth": […], "predicted": […]}, labels being texts or numbers; "confidence" may give how sure each
// prediction is, "classes" the labels in their order and "probabilities" a row for each unit with one for each class.
func ParsePredictions(document []byte) (Predictions, error) {
	var file struct {
		Truth, Predicted, Classes []json.RawMessage
		Confidence                []float64
		Probabilities             [][]float64
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	if err := decoder.Decode(&file); err != nil {
		return Predictions{}, fmt.Errorf(`not {"truth": […], "predicted": […]}: %w`, err)
	}
	if decoder.More() {
		return Predictions{}, errors.New("something follows the JSON object")
	}
	p := Predictions{Confidence: file.Confidence, Probabilities: file.Probabilities}
	for _, list := range []struct {
		what string
		raw  []json.RawMessage
		into *[]string
	}{{"true label", file.Truth, &p.Truth}, {"predicted label", file.Predicted, &p.Predicted}, {"class", file.Classes, &p.Classes}} {
		for i, raw := range list.raw {
			label, err := labelOf(raw)
			if err != nil {
				return Predictions{}, fmt.Errorf("%s %d: %w", list.what, i+1, err)
			}
			*list.into = append(*list.into, label)
		}
	}
	return p, p.check()
}

func (p *Predictions) check() error {
	n := len(p.Truth)
	switch {
	case n == 0:
		return errors.New(`there are no labels: {"truth": […], "predicted": […]}`)
	case len(p.Predicted) != n:
		return fmt.Errorf("there are %d true labels and %d predicted ones", n, len(p.Predicted))
	case p.Confidence != nil && len(p.Confidence) != n:
		return fmt.Errorf("there are %d labels and %d confidences", n, len(p.Confidence))
	case p.Probabilities != nil && len(p.Probabilities) != n:
		return fmt.Errorf("there are %d labels and %d rows of probabilities", n, len(p.Probabilities))
	}
	return nil
}

// labelOf is a label as text.
func labelOf(raw json.RawMessage) (string, error) {
	text := string(raw)
	switch {
	case strings.HasPrefix(text, `"`):
		var label string
		err := json.Unmarshal(raw, &label)
		return label, err
	case text == "" || strings.ContainsAny(text[:1], "{[ntf"):
		return "", fmt.Errorf("a label is a text or a number, not %.20s", text)
	}
	return text, nil
}

// compareLabels orders numbers by their value, before texts.
func compareLabels(a, b string) int {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	switch {
	case errX == nil && errY == nil:
		return cmp.Or(cmp.Compare(x, y), cmp.Compare(a, b))
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	}
	return cmp.Compare(a, b)
}

// Scores compares the labels of a file; loss is the log loss and calibration how far confidence can be trusted, nil for what the
// file says nothing of.
func (p *Predictions) Scores() (c Classification, loss *float64, calibration *Calibration, err error) {
	if c, err = Classify(p.Truth, p.Predicted, p.Classes); err != nil {
		return c, nil, nil, err
	}
	if p.Confidence != nil {
		right := make([]bool, len(p.Truth))
		for i := range right {
			right[i] = p.Truth[i] == p.Predicted[i]
		}
		found, err := Calibrate(p.Confidence, right, 10)
		if err != nil {
			return c, nil, nil, err
		}
		calibration = &found
	}
	if p.Probabilities != nil {
		found, err := p.logLoss(c.Labels)
		if err != nil {
			return c, nil, nil, err
		}
		loss = &found
	}
	return c, loss, calibration, nil
}

func (p *Predictions) logLoss(labels []string) (float64, error) {
	place := map[string]int{}
	for i, label := range labels {
		place[label] = i
	}
	truth := make([]int, len(p.Truth))
	for i, label := range p.Truth {
		truth[i] = place[label]
		if len(p.Probabilities[i]) != len(labels) {
			return 0, fmt.Errorf("unit %d has %d probabilities for %d classes", i+1, len(p.Probabilities[i]), len(labels))
		}
	}
	return LogLoss(truth, p.Probabilities)
}
