// Package erasure is what can be said of an erasure without a database: the list of items that somebody sends in.
package erasure

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// LongestList is how many items one request may name.
const LongestList = 200_000

// Named is one line of a list: an item's id, or its external key where ID is 0.
type Named struct {
	Line int // in the text, from 1
	ID   int64
	Key  string
}

// ErrTooLong means that a list names more than LongestList items.
var ErrTooLong = fmt.Errorf("a list names at most %d items: ask for the rest in another request, or erase a whole source or group", LongestList)

var (
	idHeads  = []string{"item", "item_id", "id"}
	keyHeads = []string{"key", "external_key", "file", "file_name", "name"}
)

// ParseList reads which items a text names: one a line, in the first column where it is CSV. An item is its external key, or
// its id written as #17; under a first line that says item_id every number is an id. Empty lines are passed over.
func ParseList(text string) ([]Named, error) {
	reader := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	reader.FieldsPerRecord, reader.LazyQuotes, reader.ReuseRecord = -1, true, true
	var list []Named
	ids, first := false, true
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the list cannot be read as CSV: %w", err)
		}
		line, _ := reader.FieldPos(0)
		cell := strings.TrimSpace(record[0])
		if first {
			first = false
			if head := strings.ToLower(cell); slices.Contains(idHeads, head) || slices.Contains(keyHeads, head) {
				ids = slices.Contains(idHeads, head)
				continue
			}
		}
		if cell == "" {
			continue
		}
		if len(list) == LongestList {
			return nil, ErrTooLong
		}
		list = append(list, named(line, cell, ids))
	}
}

func named(line int, cell string, ids bool) Named {
	digits, hash := strings.CutPrefix(cell, "#")
	if hash || ids {
		if id, err := strconv.ParseInt(digits, 10, 64); err == nil && id > 0 {
			return Named{Line: line, ID: id}
		}
	}
	return Named{Line: line, Key: cell}
}
