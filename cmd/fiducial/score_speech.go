package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"fiducial/internal/speech"
)

type scoreSpeechCommand struct {
	Pairs      string `help:"JSON lines {\"reference\":…,\"hypothesis\":…}, with \"utt_id\" if you like; - is standard input." required:"" type:"existingfile" placeholder:"FILE.jsonl"`
	Normalizer string `help:"How both are written alike before: ${normalizers}. Projects begin with basic-1." enum:"${normalizers}" default:"as-is-1"`
	PerPair    bool   `help:"A line for each pair first."`
	JSON       bool   `help:"Print JSON for programs instead of a table for people; with --per-pair one line for each pair and one for all."`
}

// speechScores are the counts of a pair or of all with their measures. One that is not defined, since there is no word, is null.
type speechScores struct {
	Line  int    `json:"line,omitempty"`
	ID    string `json:"utt_id,omitempty"`
	Pairs int    `json:"pairs,omitempty"`

	Normalizer string `json:"normalizer,omitempty"`

	Words int `json:"words"`
	speech.Counts

	WER *float64 `json:"wer"`
	MER *float64 `json:"mer"`
	WIL *float64 `json:"wil"`
	CER *float64 `json:"cer"`
}

func speechScoresOf(c speech.Counts) speechScores {
	return speechScores{
		Words: c.Reference(), Counts: c, WER: defined(c.WER()), MER: defined(c.MER()), WIL: defined(c.WIL()), CER: defined(c.CER()),
	}
}

func (c *scoreSpeechCommand) Run(std *streams) (err error) {
	in, err := openInput(c.Pairs, std)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	normalizer, _ := speech.NormalizerOf(c.Normalizer)
	scorer := speech.Scorer{Normalizer: normalizer, Characters: true}
	lines := json.NewEncoder(std.out)
	var all speech.Counts
	pairs := 0
	if c.PerPair && !c.JSON {
		fmt.Fprintln(std.out, "   LINE  WORDS    SUB    DEL    INS     WER     CER  UTTERANCE")
	}
	err = speech.ReadPairs(in, func(p speech.Pair) error {
		counts := scorer.Score(p.Reference, p.Hypothesis)
		all.Add(counts)
		pairs++
		if !c.PerPair {
			return nil
		}
		scores := speechScoresOf(counts)
		scores.Line, scores.ID = p.Line, p.ID
		if c.JSON {
			return lines.Encode(scores)
		}
		scores.printLine(std.out)
		return nil
	})
	switch {
	case err != nil:
		return misuseError(c.Pairs + ": " + err.Error())
	case pairs == 0:
		return misuseError(c.Pairs + ": there is no pair in it: one JSON object a line, with \"reference\" and \"hypothesis\"")
	}
	scores := speechScoresOf(all)
	scores.Pairs, scores.Normalizer = pairs, c.Normalizer
	if c.JSON {
		return lines.Encode(scores)
	}
	if c.PerPair {
		fmt.Fprintln(std.out)
	}
	return scores.print(std.out)
}

// openInput opens a file, or standard input for -.
func openInput(path string, std *streams) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(std.in), nil
	}
	return os.Open(path) //nolint:gosec // the file that the caller named, as the caller
}

func shownRate(v *float64) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v, 'f', 4, 64)
}

func (s speechScores) printLine(out io.Writer) {
	fmt.Fprintf(out, "%7d %6d %6d %6d %6d %7s %7s  %s\n", s.Line, s.Words, s.Substitutions, s.Deletions, s.Insertions,
		shownRate(s.WER), shownRate(s.CER), strings.ToValidUTF8(s.ID, "?"))
}

func (s speechScores) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MEASURE\tVALUE\tERRORS\tOF")
	words := s.Errors()
	fmt.Fprintf(table, "WER, word error rate\t%s\t%d\t%d words\n", shownRate(s.WER), words, s.Words)
	fmt.Fprintf(table, "MER, match error rate\t%s\t%d\t%d aligned\n", shownRate(s.MER), words, s.Hits+words)
	fmt.Fprintf(table, "WIL, word information lost\t%s\t\t\n", shownRate(s.WIL))
	fmt.Fprintf(table, "CER, character error rate\t%s\t%d\t%d characters\n", shownRate(s.CER), s.CharacterErrors, s.Characters)
	fmt.Fprintf(table, "\n%d pairs, normalizer %s: %d substitutions, %d deletions, %d insertions\n",
		s.Pairs, s.Normalizer, s.Substitutions, s.Deletions, s.Insertions)
	return table.Flush()
}
