package agreement_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/agreement"
)

// crowded are answers of up to two boxes of one size on a small field, so that boxes hang together in many ways.
func crowded(answers int) *rapid.Generator[[][]agreement.Box] {
	return rapid.Custom(func(t *rapid.T) [][]agreement.Box {
		out := make([][]agreement.Box, answers)
		for a := range out {
			out[a] = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) agreement.Box {
				return at(int64(rapid.IntRange(1, 2).Draw(t, "class")), rapid.Float64Range(0, 14).Draw(t, "x"), rapid.Float64Range(0, 8).Draw(t, "y"), 10, 10)
			}), 1, 2).Draw(t, "boxes")
		}
		return out
	})
}

// worth is what having two boxes in one object counts for, as the package says.
func worth(a, b agreement.Box) float64 {
	v := agreement.IoU(a, b)
	if v < agreement.DefaultPair {
		return -agreement.DefaultPair
	}
	if a.Class == b.Class {
		v += 0.05
	}
	return v - agreement.DefaultPair
}

// placed is a box in a cluster.
type placed struct{ answer, box int }

// best is the worth of the best clustering of the boxes from the next one on, all of them tried.
func best(answers [][]agreement.Box, next placed, clusters [][]placed) float64 {
	for next.answer < len(answers) && next.box == len(answers[next.answer]) {
		next = placed{next.answer + 1, 0}
	}
	if next.answer == len(answers) {
		return 0
	}
	after := placed{next.answer, next.box + 1}
	most := best(answers, after, append(clusters[:len(clusters):len(clusters)], []placed{next}))
	for c, members := range clusters {
		sum := 0.0
		for _, m := range members {
			if m.answer == next.answer {
				sum = math.Inf(-1)
			}
			sum += worth(answers[m.answer][m.box], answers[next.answer][next.box])
		}
		if math.IsInf(sum, -1) {
			continue
		}
		clusters[c] = append(members[:len(members):len(members)], next)
		most = max(most, sum+best(answers, after, clusters))
		clusters[c] = members
	}
	return most
}

func worthOf(answers [][]agreement.Box, m agreement.Matching) (sum float64) {
	for _, o := range m.Objects {
		for i, r := range o.Members {
			for _, q := range o.Members[:i] {
				sum += worth(answers[r.Answer][r.Box], answers[q.Answer][q.Box])
			}
		}
	}
	return sum
}

// Two answers are matched in the best way there is, several nearly so.
func TestObjectsAreTheBestClusters(t *testing.T) {
	t.Parallel()
	found, optimal, cases, missed, low := 0.0, 0.0, 0, 0, 1.0
	rapid.Check(t, func(t *rapid.T) {
		answers := crowded(rapid.IntRange(2, 4).Draw(t, "answers")).Draw(t, "boxes")
		got, want := worthOf(answers, agreement.Match(answers, agreement.Limits{})), best(answers, placed{}, nil)
		if got > want+1e-9 || len(answers) == 2 && got < want-1e-9 {
			t.Fatalf("worth %v, the best %v", got, want)
		}
		found, optimal = found+got, optimal+want
		cases++
		if got < low*want {
			low = got / want
		}
		if got < want-1e-9 {
			missed++
		}
	})
	if t.Logf("%d of %d are not the best; %.4f of the worth, at least %.2f", missed, cases, found/optimal, low); found < 0.98*optimal {
		t.Errorf("%v of %v", found, optimal)
	}
}
