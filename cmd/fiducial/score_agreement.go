package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"text/tabwriter"

	"fiducial/internal/agreement"
)

type scoreAgreementCommand struct {
	Ratings string          `help:"JSON file {\"ratings\":[[…],…]}: rows are raters, columns units, null is missing; - is standard input." required:"" type:"existingfile" placeholder:"FILE"`
	Level   agreement.Level `help:"How ratings compare: nominal as names, ordinal by their order, interval by their difference." enum:"nominal,ordinal,interval" default:"nominal"`
	JSON    bool            `help:"Print JSON for programs instead of a table for people."`
}

// agreementScores are what raters reach together. A measure that is not defined, since nothing can be compared or all ratings are
// the same, is null.
type agreementScores struct {
	Level   agreement.Level `json:"level"`
	Raters  int             `json:"raters"`
	Units   int             `json:"units"`
	Ratings int             `json:"ratings"`
	Alpha   *float64        `json:"alpha"`
	// Kappas compare names: at the other levels there are none.
	Fleiss *float64     `json:"fleiss_kappa,omitempty"`
	Cohen  []cohenScore `json:"cohen_kappa,omitempty"`
}

// cohenScore is that of two raters, counted from 1, on the units that both rated.
type cohenScore struct {
	Raters [2]int   `json:"raters"`
	Units  int      `json:"units"`
	Kappa  *float64 `json:"kappa"`
}

func (c *scoreAgreementCommand) Run(std *streams) error {
	document, err := readInput(c.Ratings, std)
	if err != nil {
		return err
	}
	ratings, err := agreement.ParseRatings(document, c.Level)
	if err != nil {
		return misuseError(c.Ratings + ": " + err.Error())
	}
	scores := scoreAgreement(ratings, c.Level)
	if c.JSON {
		return json.NewEncoder(std.out).Encode(scores)
	}
	return scores.print(std.out)
}

// readInput reads a file, or standard input for -.
func readInput(path string, std *streams) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(std.in)
	}
	return os.ReadFile(path) //nolint:gosec // the file that the caller named, as the caller
}

func scoreAgreement(ratings [][]float64, level agreement.Level) agreementScores {
	s := agreementScores{Level: level, Raters: len(ratings), Units: len(ratings[0]), Alpha: defined(agreement.Alpha(ratings, level))}
	for _, row := range ratings {
		for _, rating := range row {
			if !math.IsNaN(rating) {
				s.Ratings++
			}
		}
	}
	if level != agreement.NominalLevel {
		return s
	}
	s.Fleiss = defined(agreement.FleissKappa(countCategories(ratings)))
	for i := range ratings {
		for j := i + 1; j < len(ratings); j++ {
			one, two := ratedByBoth(ratings[i], ratings[j])
			s.Cohen = append(s.Cohen, cohenScore{[2]int{i + 1, j + 1}, len(one), defined(agreement.CohenKappa(one, two))})
		}
	}
	return s
}

// defined is nil for what is no number.
func defined(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// countCategories counts by unit how many raters said what.
func countCategories(ratings [][]float64) [][]int {
	column := map[float64]int{}
	counts := make([][]int, len(ratings[0]))
	for unit := range counts {
		for _, row := range ratings {
			if math.IsNaN(row[unit]) {
				continue
			}
			at, known := column[row[unit]]
			if !known {
				at = len(column)
				column[row[unit]] = at
			}
			for len(counts[unit]) <= at {
				counts[unit] = append(counts[unit], 0)
			}
			counts[unit][at]++
		}
	}
	return counts
}

func ratedByBoth(one, two []float64) (a, b []float64) {
	for u := range one {
		if !math.IsNaN(one[u]) && !math.IsNaN(two[u]) {
			a, b = append(a, one[u]), append(b, two[u])
		}
	}
	return a, b
}

func (s agreementScores) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(what string, value *float64, units int) {
		shown := "not defined"
		if value != nil {
			shown = strconv.FormatFloat(*value, 'f', 4, 64)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\n", what, shown, units)
	}
	fmt.Fprintln(table, "MEASURE\tVALUE\tUNITS")
	row(fmt.Sprintf("Krippendorff's alpha, %s", s.Level), s.Alpha, s.Units)
	if s.Level == agreement.NominalLevel {
		row("Fleiss' kappa", s.Fleiss, s.Units)
	}
	for _, c := range s.Cohen {
		row(fmt.Sprintf("Cohen's kappa, raters %d and %d", c.Raters[0], c.Raters[1]), c.Kappa, c.Units)
	}
	fmt.Fprintf(table, "\n%d ratings by %d raters of %d units\n", s.Ratings, s.Raters, s.Units)
	return table.Flush()
}
