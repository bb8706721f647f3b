package manifest

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
)

// Cell is a stratum. What the recipe does not balance by is empty.
type Cell struct {
	Class           string
	Source, Project int64
}

// Stratum is a cell on one side of a version.
type Stratum struct {
	Split  Split
	Number int // of the cell; the same in every split
	Cell   Cell
	// Wanted is how many items the recipe asks for, 0 for all. Items is how many it gets of the Pool, which is what it lets in; the
	// rest is the reserve. Refused is how many more there would be, were they not kept for a time only.
	Wanted, Items, Pool, Refused int
}

// Short is how many items are missing.
func (s *Stratum) Short() int { return max(0, s.Wanted-s.Items) }

// Place is where a recipe puts an item.
type Place struct {
	Split   Split
	Stratum int
}

// Selection applies a recipe to one item after the other. What becomes of an item depends on the item alone, except that a side
// which has a size takes the first of each stratum in an order drawn by the seed: an item that comes or goes there moves at most one
// other into the reserve or out of it.
type Selection struct {
	recipe *Recipe
	cells  map[Cell]int
	strata map[Place]*Stratum
	counts map[string]int // of boxes by class, for one item
}

// NewSelection begins a selection by recipe, which must be valid.
func NewSelection(recipe *Recipe) *Selection {
	return &Selection{recipe: recipe, cells: map[Cell]int{}, strata: map[Place]*Stratum{}, counts: map[string]int{}}
}

// Expect makes a stratum count although no item may come that lies in it.
func (s *Selection) Expect(cell Cell) { s.number(cell) }

func (s *Selection) number(cell Cell) int {
	n, ok := s.cells[cell]
	if !ok {
		n = len(s.cells)
		s.cells[cell] = n
	}
	return n
}

func (s *Selection) stratum(at Place, cell Cell) *Stratum {
	stratum := s.strata[at]
	if stratum == nil {
		stratum = &Stratum{Split: at.Split, Number: at.Stratum, Cell: cell, Wanted: s.recipe.Sizes.Of(at.Split)}
		s.strata[at] = stratum
	}
	return stratum
}

// Place says where the recipe puts a candidate with these boxes; false if it leaves it out. Cut decides last.
func (s *Selection) Place(c *Candidate, boxes []Box) (Place, bool) {
	if !s.recipe.Filter.Lets(boxes) {
		return Place{}, false
	}
	cell := s.cell(c, boxes)
	at := Place{s.recipe.Shares.Assign(s.recipe.Seed, s.recipe.Group.Together(c)), s.number(cell)}
	stratum := s.stratum(at, cell)
	if s.recipe.Refuses(at.Split, c) {
		stratum.Refused++
		return at, false
	}
	stratum.Pool++
	stratum.Items++
	return at, true
}

func (s *Selection) cell(c *Candidate, boxes []Box) (cell Cell) {
	for _, key := range s.recipe.Strata {
		switch key {
		case PerClass:
			cell.Class = s.leading(boxes)
		case PerSource:
			cell.Source = c.Source
		case PerProject:
			cell.Project = c.Project
		}
	}
	return cell
}

// leading is the class that most boxes bear, among equals the one that comes first in the truth.
func (s *Selection) leading(boxes []Box) (class string) {
	clear(s.counts)
	for i := range boxes {
		s.counts[boxes[i].Class]++
	}
	most := 0
	for i := range boxes {
		if n := s.counts[boxes[i].Class]; n > most {
			class, most = boxes[i].Class, n
		}
	}
	return class
}

// Cuts tells whether a side takes only so many items of each stratum.
func (s *Selection) Cuts(split Split) bool { return s.recipe.Sizes.Of(split) > 0 }

// Cut calls drop for each of the n placed items that goes to the reserve; at tells the item and its place.
func (s *Selection) Cut(n int, at func(i int) (item int64, place Place), drop func(i int)) {
	type ranked struct {
		rank uint64
		item int64
		i    int
	}
	pools := map[Place][]ranked{}
	for i := range n {
		if item, place := at(i); s.Cuts(place.Split) {
			pools[place] = append(pools[place], ranked{rank(s.recipe.Seed, item), item, i})
		}
	}
	for place, pool := range pools {
		stratum := s.strata[place]
		if len(pool) <= stratum.Wanted {
			continue
		}
		slices.SortFunc(pool, func(a, b ranked) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.item, b.item)) })
		for _, over := range pool[stratum.Wanted:] {
			drop(over.i)
		}
		stratum.Items = stratum.Wanted
	}
}

// rank orders the items of a stratum. It is drawn for the item and not for its group: a side that took whole groups would hold few
// of them, and what it holds would look alike.
func rank(seed, item int64) uint64 {
	b := append(strconv.AppendInt([]byte("rank"), seed, 10), 0)
	h := sha256.Sum256(strconv.AppendInt(b, item, 10))
	return binary.BigEndian.Uint64(h[:8])
}

// Strata returns every stratum that has or wants items, by split and number.
func (s *Selection) Strata() []Stratum {
	for cell, number := range s.cells {
		for _, split := range Splits() {
			if s.Cuts(split) {
				s.stratum(Place{split, number}, cell)
			}
		}
	}
	strata := make([]Stratum, 0, len(s.strata))
	for _, stratum := range s.strata {
		strata = append(strata, *stratum)
	}
	slices.SortFunc(strata, func(a, b Stratum) int {
		return cmp.Or(cmp.Compare(slices.Index(Splits(), a.Split), slices.Index(Splits(), b.Split)), cmp.Compare(a.Number, b.Number))
	})
	return strata
}
