package manifest_test

import (
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"fiducial/internal/manifest"
)

// thing is an item with truth.
type thing struct {
	manifest.Candidate

	boxes []manifest.Box
}

func things() *rapid.Generator[[]thing] {
	return rapid.Custom(func(t *rapid.T) []thing {
		all := make([]thing, rapid.IntRange(0, 120).Draw(t, "items"))
		for i := range all {
			all[i] = drawThing(t, int64(i+1))
		}
		return all
	})
}

func drawThing(t *rapid.T, id int64) thing {
	x := thing{Candidate: manifest.Candidate{
		Item: id, Source: rapid.Int64Range(1, 3).Draw(t, "source"), Project: rapid.Int64Range(1, 2).Draw(t, "project"),
		Group: rapid.Int64Range(0, 9).Draw(t, "group"), Limited: rapid.IntRange(0, 9).Draw(t, "limited") == 0,
	}}
	for range rapid.IntRange(0, 3).Draw(t, "boxes") {
		x.boxes = append(x.boxes, manifest.Box{Class: rapid.SampledFrom([]string{"pit", "scale", "scratch"}).Draw(t, "class"), Definition: rapid.IntRange(0, 2).Draw(t, "definition")})
	}
	return x
}

func recipes() *rapid.Generator[manifest.Recipe] {
	return rapid.Custom(func(t *rapid.T) manifest.Recipe {
		r := manifest.Recipe{
			Projects: []string{"steel"}, Seed: rapid.Int64().Draw(t, "seed"), Shares: manifest.Shares{Training: 500, Validation: 200, Test: 300},
			Group:  rapid.SampledFrom([]manifest.GroupKey{"", manifest.ByItem, manifest.BySource}).Draw(t, "group"),
			Strata: rapid.SampledFrom([][]manifest.StratumKey{nil, {manifest.PerClass}, {manifest.PerSource, manifest.PerClass}, {manifest.PerProject}}).Draw(t, "strata"),
			Sizes:  &manifest.Sizes{Test: manifest.Size(rapid.IntRange(0, 9).Draw(t, "size")), Training: manifest.Size(rapid.IntRange(0, 20).Draw(t, "training"))},
		}
		if rapid.Bool().Draw(t, "filtered") {
			r.Filter = &manifest.Filter{Definition: rapid.IntRange(0, 1).Draw(t, "least"), Classes: []string{"pit", "scratch"}}
		}
		if rapid.Bool().Draw(t, "allowing") {
			r.Retention = &manifest.Retention{Test: manifest.Allow, Reason: "to see"}
		}
		return r
	})
}

// chosen applies a recipe and returns where each item of the version lies.
func chosen(recipe manifest.Recipe, all []thing) (map[int64]manifest.Split, []manifest.Stratum) {
	selection := manifest.NewSelection(&recipe)
	var items []int64
	var places []manifest.Place
	for _, x := range all {
		if place, ok := selection.Place(&x.Candidate, x.boxes); ok {
			items, places = append(items, x.Item), append(places, place)
		}
	}
	dropped := map[int]bool{}
	selection.Cut(len(items), func(i int) (int64, manifest.Place) { return items[i], places[i] }, func(i int) { dropped[i] = true })
	held := map[int64]manifest.Split{}
	for i, item := range items {
		if !dropped[i] {
			held[item] = places[i].Split
		}
	}
	return held, selection.Strata()
}

func TestSelectionsKeepTheirPromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		recipe, all := recipes().Draw(t, "recipe"), things().Draw(t, "items")
		held, strata := chosen(recipe, all)
		sides := map[string]manifest.Split{}
		for _, x := range all {
			side, in := held[x.Item]
			if !in {
				continue
			}
			group := recipe.Group.Together(&x.Candidate)
			if before, ok := sides[group]; ok && before != side {
				t.Fatalf("%s straddles %s and %s", group, before, side)
			}
			sides[group] = side
			if !recipe.Filter.Lets(x.boxes) {
				t.Fatalf("item %d got past the filter", x.Item)
			}
			if x.Limited && side == manifest.Test && recipe.Retention == nil {
				t.Fatalf("item %d is kept for a time only and lies on the test side", x.Item)
			}
		}
		sum := 0
		for _, s := range strata {
			sum += s.Items
			if want := s.Pool; s.Wanted == 0 && s.Items != want || s.Wanted > 0 && s.Items != min(s.Wanted, s.Pool) {
				t.Fatalf("%+v", s)
			}
			if s.Items < s.Wanted && s.Short() != s.Wanted-s.Items {
				t.Fatalf("the shortfall of %+v is not told", s)
			}
		}
		if sum != len(held) {
			t.Fatalf("%d items in the strata, %d in the version", sum, len(held))
		}
		again, _ := chosen(recipe, rapid.Permutation(all).Draw(t, "order"))
		if !maps.Equal(held, again) {
			t.Fatal("the order in which items come decides")
		}
	})
}

// An item that comes, or goes, moves at most one other: the last of its own stratum, into the reserve or out of it.
func TestOneItemMovesAtMostOneOther(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		recipe, all := recipes().Draw(t, "recipe"), things().Draw(t, "items")
		before, _ := chosen(recipe, all)
		added := drawThing(t, int64(len(all)+1))
		after, _ := chosen(recipe, append(all, added))
		moved := 0
		for _, x := range all {
			was, in := before[x.Item]
			is, stays := after[x.Item]
			if in && stays && was != is {
				t.Fatalf("item %d went from %s to %s", x.Item, was, is)
			}
			if in != stays {
				moved++
			}
			if !in && stays {
				t.Fatalf("item %d came in because another did", x.Item)
			}
		}
		if _, in := after[added.Item]; moved > 1 || moved == 1 && !in {
			t.Fatalf("%d others went (the new one is in: %v)", moved, in)
		}
	})
}

func TestALossIsMadeUpFromTheReserve(t *testing.T) {
	t.Parallel()
	recipe := manifest.Recipe{
		Projects: []string{"steel"}, Seed: 7, Shares: manifest.Shares{Training: 500, Test: 500}, Strata: []manifest.StratumKey{manifest.PerClass},
		Sizes: &manifest.Sizes{Test: 10},
	}
	var all []thing
	for i := range 100 {
		all = append(all, thing{manifest.Candidate{Item: int64(i + 1)}, []manifest.Box{{Class: fmt.Sprint("class ", i%2)}}})
	}
	before, _ := chosen(recipe, all)
	var rest []thing
	lost := map[string]int{}
	for _, x := range all {
		if before[x.Item] == manifest.Test && lost[x.boxes[0].Class] < 2 {
			lost[x.boxes[0].Class]++
			continue
		}
		rest = append(rest, x)
	}
	after, strata := chosen(recipe, rest)
	for _, s := range strata {
		if s.Split == manifest.Test && s.Items != 10 {
			t.Errorf("%+v", s)
		}
	}
	for _, x := range rest {
		if was, in := before[x.Item]; in && after[x.Item] != was {
			t.Errorf("item %d went from %s to %q", x.Item, was, after[x.Item])
		} else if !in && after[x.Item] == manifest.Training {
			t.Errorf("item %d of the reserve went to training", x.Item)
		}
	}
}

func TestExpectedStrataAreTold(t *testing.T) {
	t.Parallel()
	recipe := manifest.Recipe{Shares: manifest.Shares{Training: 500, Test: 500}, Strata: []manifest.StratumKey{manifest.PerClass}, Sizes: &manifest.Sizes{Test: 10}}
	selection := manifest.NewSelection(&recipe)
	selection.Expect(manifest.Cell{Class: "pit"})
	strata := selection.Strata()
	if len(strata) != 1 || strata[0].Cell.Class != "pit" || strata[0].Short() != 10 {
		t.Errorf("%+v", strata)
	}
}
