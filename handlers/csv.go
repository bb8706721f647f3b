package handlers

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// writeCSV sends a table as a file, with whatever people wrote in it harmless.
func writeCSV(w http.ResponseWriter, name string, rows [][]string) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.csv"`, name))
	w.Header().Set("Cache-Control", "no-store")
	out := csv.NewWriter(w)
	for _, row := range rows {
		row = slices.Clone(row)
		for i, cell := range row {
			row[i] = harmless(cell)
		}
		_ = out.Write(row) // the client has gone; there is no one left to tell
	}
	out.Flush()
}

// harmless marks as text what a spreadsheet would run as a formula: people choose the names of classes, models, sources and of themselves.
// Numbers stay as they are, those below nothing too.
func harmless(text string) string {
	if strings.IndexAny(text, "=+-@\t\r\n＝＋－＠") != 0 {
		return text
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return text
	}
	return "'" + text
}
