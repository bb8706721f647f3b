package agreement_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/agreement"
)

// reference reads what public scorers said, or skips plainly.
func reference(tb testing.TB, name string, out any) {
	tb.Helper()
	dir := os.Getenv("FIDUCIAL_TEST_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "reference", "agreement", name))
	if err != nil && os.Getenv("CI") != "" {
		tb.Fatal(err)
	} else if err != nil {
		tb.Skip("no reference output: ", err)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		tb.Fatal(err)
	}
}

func TestAssignLikeTheReference(t *testing.T) {
	t.Parallel()
	var cases []struct {
		Cost  [][]float64 `json:"cost"`
		Total float64     `json:"total"`
	}
	reference(t, "assignment.json", &cases)
	for i, c := range cases {
		columns, total := agreement.Assign(c.Cost)
		if math.Abs(total-c.Total) > 1e-9 {
			t.Errorf("case %d: %v, want %v", i, total, c.Total)
		}
		used, sum := map[int]bool{}, 0.0
		for row, column := range columns {
			if column >= 0 {
				if used[column] {
					t.Errorf("case %d: column %d twice", i, column)
				}
				used[column] = true
				sum += c.Cost[row][column]
			}
		}
		if want := min(len(c.Cost), len(c.Cost[0])); len(used) != want || math.Abs(sum-total) > 1e-9 {
			t.Errorf("case %d: %d pairs of cost %v", i, len(used), sum)
		}
	}
}

// Every assignment of a small matrix is tried.
func TestAssignIsOptimal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows, columns := rapid.IntRange(1, 5).Draw(t, "rows"), rapid.IntRange(1, 5).Draw(t, "columns")
		cost := make([][]float64, rows)
		for i := range cost {
			for range columns {
				cost[i] = append(cost[i], float64(rapid.IntRange(-4, 4).Draw(t, "cost")))
			}
		}
		if _, total := agreement.Assign(cost); total != cheapest(cost, 0, rows-columns, make([]bool, columns)) {
			t.Fatalf("total %v", total)
		}
	})
}

// cheapest tries all columns for the rows from row on, of which idle may be left out.
func cheapest(cost [][]float64, row, idle int, used []bool) float64 {
	if row == len(cost) {
		return 0
	}
	best := math.Inf(1)
	if idle > 0 {
		best = cheapest(cost, row+1, idle-1, used)
	}
	for j := range used {
		if !used[j] {
			used[j] = true
			best = min(best, cost[row][j]+cheapest(cost, row+1, idle, used))
			used[j] = false
		}
	}
	return best
}
