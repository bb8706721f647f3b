package sampling_test

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/sampling"
)

// accepted is the chance that a plan takes a lot with so many faulty items, by the definition of the
// hypergeometric distribution, exactly.
func accepted(lot, faulty, size, accept int) float64 {
	total := new(big.Int)
	for k := 0; k <= accept; k++ {
		ways := new(big.Int).Binomial(int64(faulty), int64(k))
		if size-k >= 0 && k <= faulty {
			total.Add(total, ways.Mul(ways, new(big.Int).Binomial(int64(lot-faulty), int64(size-k))))
		}
	}
	chance, _ := new(big.Rat).SetFrac(total, new(big.Int).Binomial(int64(lot), int64(size))).Float64()
	return chance
}

// Sizes that follow from the definition by hand, or are in every table: for a very large lot the plans are those of
// the binomial distribution (29, 59 and 299 for 10, 5 and 1 % with 95 % confidence).
func TestPlansAreThoseOfTheTables(t *testing.T) {
	t.Parallel()
	tests := []struct {
		lot    int
		limit  float64
		accept int
		size   int
	}{
		{10_000_000, 0.10, 0, 29},
		{10_000_000, 0.05, 0, 59},
		{10_000_000, 0.01, 0, 299},
		{10_000_000, 0.10, 1, 46},
		{10_000_000, 0.05, 1, 93},
		{10_000_000, 0.10, 2, 61},
		{20, 0.05, 0, 16}, // 2 faulty of 20: 4·3/(20·19) = 0.032, and 5·4/(20·19) = 0.053 at 15
		{1, 0.10, 0, 1},
		{0, 0.10, 0, 0},
		{5, 0, 0, 5}, // 1 faulty of 5: nothing but all of them will do
		{3, 0.5, 2, 3},
		{4, 1, 0, 4},
	}
	for _, tt := range tests {
		if got := sampling.PlanFor(tt.lot, tt.limit, tt.accept); got.Size != tt.size {
			t.Errorf("%d items, limit %g, accept %d: look at %d, want %d", tt.lot, tt.limit, tt.accept, got.Size, tt.size)
		}
	}
}

// The plan keeps its word, and a sample that is smaller by one would not.
func TestPlanIsTheSmallestThatKeepsItsWord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		lot := rapid.IntRange(1, 400).Draw(rt, "lot")
		limit := float64(rapid.IntRange(0, 50).Draw(rt, "percent")) / 100
		accept := rapid.IntRange(0, 3).Draw(rt, "accept")
		plan := sampling.PlanFor(lot, limit, accept)
		faulty := int(math.Floor(limit*float64(lot)+1e-9)) + 1
		if plan.Size < lot {
			for more := faulty; more <= lot; more++ {
				if chance := accepted(lot, more, plan.Size, accept); chance > sampling.Risk+1e-9 {
					rt.Fatalf("%+v takes a lot with %d faulty with chance %g", plan, more, chance)
				}
			}
		}
		if plan.Size > 1 && faulty > accept && faulty <= lot {
			if chance := accepted(lot, faulty, plan.Size-1, accept); chance <= sampling.Risk-1e-9 {
				rt.Fatalf("%+v: %d looks would do, at chance %g", plan, plan.Size-1, chance)
			}
		}
	})
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	plan := sampling.Plan{Lot: 100, Limit: 0.1, Accept: 1, Size: 36}
	for _, tt := range []struct {
		looked, faulty int
		want           sampling.Verdict
	}{{0, 0, sampling.Open}, {35, 1, sampling.Open}, {36, 1, sampling.Take}, {2, 2, sampling.Refuse}, {36, 2, sampling.Refuse}} {
		if got := plan.Verdict(tt.looked, tt.faulty); got != tt.want {
			t.Errorf("%d faulty of %d: %v, want %v", tt.faulty, tt.looked, got, tt.want)
		}
	}
}

func ids(n int) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = int64(i + 1)
	}
	return all
}

// A draw is the same whatever the order of the ids, goes on where a smaller one ended, and another
// seed gives another.
func TestDrawDependsOnIDsAndSeedAlone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		all := ids(rapid.IntRange(0, 60).Draw(rt, "ids"))
		shuffled := rapid.Permutation(all).Draw(rt, "order")
		n := rapid.IntRange(0, 70).Draw(rt, "n")
		seed := rapid.Int64().Draw(rt, "seed")
		drawn := sampling.Draw(all, n, seed)
		if !slices.Equal(drawn, sampling.Draw(shuffled, n, seed)) {
			rt.Fatal("the order of the ids matters")
		}
		if more := sampling.Draw(all, n+1, seed); !slices.Equal(drawn, more[:len(drawn)]) {
			rt.Fatal("a larger draw is another one")
		}
		if len(drawn) != min(n, len(all)) || len(slices.Compact(slices.Sorted(slices.Values(drawn)))) != len(drawn) {
			rt.Fatalf("drew %v", drawn)
		}
	})
	if slices.Equal(sampling.Draw(ids(50), 10, 1), sampling.Draw(ids(50), 10, 2)) {
		t.Error("two seeds draw the same")
	}
}

// Over many seeds each id is drawn about as often as any other.
func TestDrawIsFair(t *testing.T) {
	t.Parallel()
	const seeds, n, of = 4000, 5, 20
	times := map[int64]int{}
	for seed := range int64(seeds) {
		for _, id := range sampling.Draw(ids(of), n, seed) {
			times[id]++
		}
	}
	// Binomial with mean 1000 and deviation 27: five deviations.
	for _, id := range ids(of) {
		if times[id] < 860 || times[id] > 1140 {
			t.Errorf("id %d was drawn %d times of %d", id, times[id], seeds)
		}
	}
}

// Three rounds of 30 % and a fourth take everything, each item once, and each round its share of every stratum.
func TestRoundsTakeEverythingOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var candidates []sampling.Candidate
		for class := range rapid.IntRange(1, 5).Draw(rt, "classes") {
			for range rapid.IntRange(1, 40).Draw(rt, "items") {
				candidates = append(candidates, sampling.Candidate{Item: int64(len(candidates) + 1), Stratum: sampling.Stratum{Class: int64(class)}})
			}
		}
		seed := rapid.Int64().Draw(rt, "seed")
		taken := map[int64]bool{}
		for round := range 4 {
			for _, part := range sampling.Stratify(candidates, 0.3, seed+int64(round)) {
				if want := min(int(math.Ceil(0.3*float64(part.Size)-1e-9)), part.Left); len(part.Drawn) != want {
					rt.Fatalf("round %d drew %d of %+v, want %d", round+1, len(part.Drawn), part, want)
				}
				for _, item := range part.Drawn {
					if taken[item] {
						rt.Fatalf("item %d was drawn twice", item)
					}
					taken[item] = true
				}
			}
			for i := range candidates {
				candidates[i].Taken = taken[candidates[i].Item]
			}
		}
		if len(taken) != len(candidates) {
			rt.Fatalf("%d of %d were drawn", len(taken), len(candidates))
		}
	})
}

// Hands are as even as they can be, as a whole and within each stratum.
func TestDealIsEven(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var parts []sampling.Part
		next, total := int64(1), 0
		for class := range rapid.IntRange(0, 4).Draw(rt, "strata") {
			part := sampling.Part{Stratum: sampling.Stratum{Class: int64(class)}}
			for range rapid.IntRange(0, 30).Draw(rt, "drawn") {
				part.Drawn = append(part.Drawn, next)
				next++
				total++
			}
			parts = append(parts, part)
		}
		size := rapid.IntRange(1, 25).Draw(rt, "size")
		hands := sampling.Deal(parts, size)
		if want := (total + size - 1) / size; len(hands) != want {
			rt.Fatalf("%d hands, want %d", len(hands), want)
		}
		held := 0
		for _, hand := range hands {
			held += len(hand)
			if len(hand) > size {
				rt.Fatalf("a hand of %d, more than %d", len(hand), size)
			}
		}
		if held != total {
			rt.Fatalf("%d of %d were dealt", held, total)
		}
		for _, part := range parts {
			even(rt, fmt.Sprint(part.Stratum), hands, func(item int64) bool { return slices.Contains(part.Drawn, item) })
		}
		even(rt, "all", hands, func(int64) bool { return true })
	})
}

func even(rt *rapid.T, what string, hands [][]int64, counts func(int64) bool) {
	least, most := math.MaxInt, 0
	for _, hand := range hands {
		n := 0
		for _, item := range hand {
			if counts(item) {
				n++
			}
		}
		least, most = min(least, n), max(most, n)
	}
	if len(hands) > 0 && most-least > 1 {
		rt.Fatalf("%s: hands hold between %d and %d", what, least, most)
	}
}
