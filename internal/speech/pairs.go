package speech

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Pair is a reference with the hypothesis that was recognized for it.
type Pair struct {
	ID         string // empty if the file gives none
	Line       int    // in the file, from 1
	Reference  string
	Hypothesis string
}

// longestPair bounds a line, in bytes.
const longestPair = 16 << 20

// ReadPairs reads JSON lines {"reference": …, "hypothesis": …}, with an "utt_id" or "id" if they like, and yields them one by one;
// empty lines are passed over. It fails at the first line that is no such pair, with its number, and with what yield returns.
func ReadPairs(r io.Reader, yield func(Pair) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), longestPair)
	number := 0
	for lines.Scan() {
		number++
		if len(lines.Bytes()) == 0 {
			continue
		}
		pair, err := parsePair(lines.Bytes())
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		pair.Line = number
		if err := yield(pair); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d MB", number+1, longestPair>>20)
	}
	return lines.Err()
}

func parsePair(line []byte) (Pair, error) {
	var record struct {
		ID                    string
		Reference, Hypothesis *string
		Utterance             string `json:"utt_id"`
	}
	if err := json.Unmarshal(line, &record); err != nil {
		return Pair{}, fmt.Errorf("not a JSON object with texts: %w", err)
	}
	switch {
	case record.Reference == nil:
		return Pair{}, errors.New(`there is no "reference"`)
	case record.Hypothesis == nil:
		return Pair{}, errors.New(`there is no "hypothesis"; for one that is empty write ""`)
	}
	id := record.Utterance
	if id == "" {
		id = record.ID
	}
	return Pair{ID: id, Reference: *record.Reference, Hypothesis: *record.Hypothesis}, nil
}
