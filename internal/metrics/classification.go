package metrics

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Classification compares predicted labels with true ones.
type Classification struct {
	// Labels are all that occur, in the order that they were given in, or else sorted.
	Labels []string
	// Confusion counts: row is the true label, column the predicted one.
	Confusion [][]int
}

// Classify counts predictions. labels fixes their order and may name ones that do not occur; nil has them sorted, as numbers if
// all are. It fails if there are not as many predictions as truths, or none, or a label that labels does not have.
func Classify(truth, predicted, labels []string) (Classification, error) {
	switch {
	case len(truth) != len(predicted):
		return Classification{}, fmt.Errorf("there are %d true labels and %d predicted ones", len(truth), len(predicted))
	case len(truth) == 0:
		return Classification{}, errors.New("there are no labels")
	}
	if labels == nil {
		labels = sortedLabels(truth, predicted)
	}
	place := make(map[string]int, len(labels))
	for i, label := range labels {
		if _, twice := place[label]; twice {
			return Classification{}, fmt.Errorf("class %q is named twice", label)
		}
		place[label] = i
	}
	c := Classification{Labels: labels, Confusion: make([][]int, len(labels))}
	for i := range c.Confusion {
		c.Confusion[i] = make([]int, len(labels))
	}
	for i := range truth {
		row, known := place[truth[i]]
		column, knownToo := place[predicted[i]]
		if !known || !knownToo {
			return Classification{}, fmt.Errorf("unit %d: %q or %q is none of the classes", i+1, truth[i], predicted[i])
		}
		c.Confusion[row][column]++
	}
	return c, nil
}

// ClassScore is how one label was predicted. A share of nothing is 0, as scikit-learn has it.
type ClassScore struct {
	Precision, Recall, F1 float64
	Support               int // units with this true label
	Predicted             int
}

// Class scores the i-th label.
func (c *Classification) Class(i int) ClassScore {
	right := c.Confusion[i][i]
	s := ClassScore{}
	for j := range c.Labels {
		s.Support += c.Confusion[i][j]
		s.Predicted += c.Confusion[j][i]
	}
	s.Precision, s.Recall = share(right, s.Predicted), share(right, s.Support)
	s.F1 = share(2*right, s.Predicted+s.Support)
	return s
}

// share is n of of, 0 of nothing.
func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// ClassificationScores are averages over the labels: macro counts each alike, weighted by its support. Precision, recall and F1
// over all units together, the micro averages, are the accuracy, since each unit has one label.
type ClassificationScores struct {
	Units                                         int
	Accuracy                                      float64
	MacroPrecision, MacroRecall, MacroF1          float64
	WeightedPrecision, WeightedRecall, WeightedF1 float64
}

// Scores averages over the labels that occur.
func (c *Classification) Scores() ClassificationScores {
	var s ClassificationScores
	right, occurring := 0, 0.0
	for i := range c.Labels {
		k := c.Class(i)
		right += c.Confusion[i][i]
		s.Units += k.Support
		if k.Support+k.Predicted == 0 {
			continue
		}
		occurring++
		s.MacroPrecision += k.Precision
		s.MacroRecall += k.Recall
		s.MacroF1 += k.F1
		weight := float64(k.Support)
		s.WeightedPrecision += weight * k.Precision
		s.WeightedRecall += weight * k.Recall
		s.WeightedF1 += weight * k.F1
	}
	s.Accuracy = share(right, s.Units)
	for _, sum := range []*float64{&s.MacroPrecision, &s.MacroRecall, &s.MacroF1} {
		*sum /= occurring
	}
	for _, sum := range []*float64{&s.WeightedPrecision, &s.WeightedRecall, &s.WeightedF1} {
		*sum /= float64(s.Units)
	}
	return s
}

// smallest is the least probability that the logarithm is taken of.
const smallest = 0x1p-52

// LogLoss is the mean of -ln of the probability that was given to the true label; probabilities has a row for each unit and a
// column for each label, and truth is a column. Rows that do not sum to 1 are scaled to.
func LogLoss(truth []int, probabilities [][]float64) (float64, error) {
	sum := 0.0
	for i, row := range probabilities {
		total := 0.0
		for _, p := range row {
			if math.IsNaN(p) || p < 0 || p > 1 {
				return 0, fmt.Errorf("unit %d: a probability is from 0 to 1, not %v", i+1, p)
			}
			total += p
		}
		if total == 0 || truth[i] >= len(row) {
			return 0, fmt.Errorf("unit %d: its probabilities are %v", i+1, row)
		}
		p := row[truth[i]] / total
		sum -= math.Log(min(max(p, smallest), 1-smallest))
	}
	if len(probabilities) == 0 {
		return math.NaN(), nil
	}
	return sum / float64(len(probabilities)), nil
}

// Calibration compares how sure a model was with how often it was right.
type Calibration struct {
	// Error is the expected calibration error: over bins of the same width, the difference of mean confidence and accuracy,
	// weighted by how many units are in the bin (Naeini, Cooper and Hauskrecht, AAAI 2015). Worst is the largest of them.
	Error, Worst float64
	// Brier is the mean square of the difference between the confidence and 1 for a right answer, 0 for a wrong one.
	Brier float64
	Bins  []CalibrationBin
}

// CalibrationBin are the units whose confidence is above From and up to To; the first bin has 0 too. Means of no units are NaN.
type CalibrationBin struct {
	From, To             float64
	Units                int
	Confidence, Accuracy float64 // means
}

// Calibrate sorts units into bins of the same width by the confidence in their answer, from 0 to 1.
func Calibrate(confidence []float64, right []bool, bins int) (Calibration, error) {
	c := Calibration{Bins: make([]CalibrationBin, bins)}
	hits := make([]int, bins)
	for i, p := range confidence {
		if math.IsNaN(p) || p < 0 || p > 1 {
			return Calibration{}, fmt.Errorf("unit %d: a confidence is from 0 to 1, not %v", i+1, p)
		}
		at := max(0, int(math.Ceil(p*float64(bins)))-1)
		c.Bins[at].Units++
		c.Bins[at].Confidence += p
		miss := p
		if right[i] {
			hits[at]++
			miss = 1 - p
		}
		c.Brier += miss * miss
	}
	n := float64(len(confidence))
	c.Brier /= n
	for i := range c.Bins {
		b := &c.Bins[i]
		b.From, b.To = float64(i)/float64(bins), float64(i+1)/float64(bins)
		b.Confidence /= float64(b.Units)
		b.Accuracy = float64(hits[i]) / float64(b.Units)
		if b.Units > 0 {
			off := math.Abs(b.Confidence - b.Accuracy)
			c.Error += off * float64(b.Units) / n
			c.Worst = max(c.Worst, off)
		}
	}
	return c, nil
}

// sortedLabels are all labels that occur.
func sortedLabels(lists ...[]string) []string {
	var labels []string
	seen := map[string]bool{}
	for _, list := range lists {
		for _, label := range list {
			if !seen[label] {
				seen[label] = true
				labels = append(labels, label)
			}
		}
	}
	slices.SortFunc(labels, compareLabels)
	return labels
}
