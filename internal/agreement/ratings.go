package agreement

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// ParseRatings reads the JSON document {"ratings":[[…],…]}: a row is a rater, a column a unit, null is missing. A rating is a
// number, or at the nominal level any number or string, which are then numbered as they come. Rows are equally long, and there is at
// least one rating. What else the document holds is passed over.
func ParseRatings(document []byte, level Level) ([][]float64, error) {
	var in struct {
		Ratings [][]any `json:"ratings"`
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	if err := decoder.Decode(&in); err != nil {
		return nil, fmt.Errorf(`not {"ratings":[[…],…]}: %w`, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the document")
	}
	rows, ratings := make([][]float64, len(in.Ratings)), 0
	number := map[any]float64{}
	for r, row := range in.Ratings {
		if len(row) != len(in.Ratings[0]) {
			return nil, fmt.Errorf("rater %d has %d units, the first one %d: write null for what is missing", r+1, len(row), len(in.Ratings[0]))
		}
		rows[r] = make([]float64, len(row))
		for u, v := range row {
			rating, err := parseRating(v, level, number)
			if err != nil {
				return nil, fmt.Errorf("rater %d, unit %d: %w", r+1, u+1, err)
			}
			if rows[r][u] = rating; !math.IsNaN(rating) {
				ratings++
			}
		}
	}
	if ratings == 0 {
		return nil, errors.New("there are no ratings")
	}
	return rows, nil
}

func parseRating(v any, level Level, number map[any]float64) (float64, error) {
	f, isNumber := v.(float64)
	_, isName := v.(string)
	switch {
	case v == nil:
		return math.NaN(), nil
	case !isNumber && !isName:
		return 0, errors.New("a rating is a number, a string or null")
	case level == NominalLevel:
		n, known := number[v]
		if !known {
			n = float64(len(number))
			number[v] = n
		}
		return n, nil
	case isName:
		return 0, fmt.Errorf("at the %s level a rating is a number, not %q", level, v)
	}
	return f, nil
}
