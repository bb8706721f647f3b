package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"fiducial/internal/metrics"
)

type scoreClassificationCommand struct {
	File string `help:"JSON file {\"truth\":[…],\"predicted\":[…]}, with \"confidence\", or \"classes\" and \"probabilities\", if you like; - is standard input." required:"" type:"existingfile" placeholder:"FILE"`
	JSON bool   `help:"Print JSON for programs instead of a table for people."`
}

// classificationScores are the figures of the command; what the file says nothing of is left out.
type classificationScores struct {
	Units             int              `json:"units"`
	Accuracy          float64          `json:"accuracy"`
	MacroPrecision    float64          `json:"macro_precision"`
	MacroRecall       float64          `json:"macro_recall"`
	MacroF1           float64          `json:"macro_f1"`
	WeightedPrecision float64          `json:"weighted_precision"`
	WeightedRecall    float64          `json:"weighted_recall"`
	WeightedF1        float64          `json:"weighted_f1"`
	LogLoss           *float64         `json:"log_loss,omitempty"`
	Calibration       *calibration     `json:"calibration,omitempty"`
	Classes           []classScoreLine `json:"classes"`
	Confusion         [][]int          `json:"confusion"`
}

type classScoreLine struct {
	Class     string  `json:"class"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Support   int     `json:"support"`
	Predicted int     `json:"predicted"`
}

type calibration struct {
	Error float64          `json:"expected_error"`
	Worst float64          `json:"largest_error"`
	Brier float64          `json:"brier"`
	Bins  []calibrationBin `json:"bins"`
}

type calibrationBin struct {
	From       float64  `json:"from"`
	To         float64  `json:"to"`
	Units      int      `json:"units"`
	Confidence *float64 `json:"confidence"`
	Accuracy   *float64 `json:"accuracy"`
}

func (c *scoreClassificationCommand) Run(std *streams) error {
	document, err := readInput(c.File, std)
	if err != nil {
		return err
	}
	predictions, err := metrics.ParsePredictions(document)
	if err != nil {
		return misuseError(c.File + ": " + err.Error())
	}
	classified, loss, trust, err := predictions.Scores()
	if err != nil {
		return misuseError(c.File + ": " + err.Error())
	}
	scores := classificationScoresOf(classified, loss, trust)
	if c.JSON {
		return json.NewEncoder(std.out).Encode(scores)
	}
	return scores.print(std.out)
}

func classificationScoresOf(c metrics.Classification, loss *float64, trust *metrics.Calibration) classificationScores {
	s := c.Scores()
	scores := classificationScores{
		Units: s.Units, Accuracy: s.Accuracy, LogLoss: loss, Confusion: c.Confusion,
		MacroPrecision: s.MacroPrecision, MacroRecall: s.MacroRecall, MacroF1: s.MacroF1,
		WeightedPrecision: s.WeightedPrecision, WeightedRecall: s.WeightedRecall, WeightedF1: s.WeightedF1,
	}
	for i, label := range c.Labels {
		k := c.Class(i)
		scores.Classes = append(scores.Classes, classScoreLine{label, k.Precision, k.Recall, k.F1, k.Support, k.Predicted})
	}
	if trust != nil {
		scores.Calibration = &calibration{Error: trust.Error, Worst: trust.Worst, Brier: trust.Brier}
		for _, b := range trust.Bins {
			bin := calibrationBin{b.From, b.To, b.Units, defined(b.Confidence), defined(b.Accuracy)}
			scores.Calibration.Bins = append(scores.Calibration.Bins, bin)
		}
	}
	return scores
}

func (s *classificationScores) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	shown := func(v float64) string { return strconv.FormatFloat(v, 'f', 4, 64) }
	fmt.Fprintln(table, "CLASS\tPRECISION\tRECALL\tF1\tUNITS\tPREDICTED")
	for _, c := range s.Classes {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\n", c.Class, shown(c.Precision), shown(c.Recall), shown(c.F1), c.Support, c.Predicted)
	}
	fmt.Fprintf(table, "mean of the classes\t%s\t%s\t%s\t%d\t\n", shown(s.MacroPrecision), shown(s.MacroRecall), shown(s.MacroF1), s.Units)
	fmt.Fprintf(table, "weighted by units\t%s\t%s\t%s\t%d\t\n", shown(s.WeightedPrecision), shown(s.WeightedRecall), shown(s.WeightedF1), s.Units)
	fmt.Fprintf(table, "\naccuracy\t%s\n", shown(s.Accuracy))
	if s.LogLoss != nil {
		fmt.Fprintf(table, "log loss\t%s\n", shown(*s.LogLoss))
	}
	if s.Calibration != nil {
		fmt.Fprintf(table, "calibration error\t%s\n", shown(s.Calibration.Error))
		fmt.Fprintf(table, "  largest of a bin\t%s\n", shown(s.Calibration.Worst))
		fmt.Fprintf(table, "Brier score\t%s\n", shown(s.Calibration.Brier))
	}
	return table.Flush()
}
