package sampling

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Utterance is an item of sound that a model version heard something in. It says all that a choice may depend on; that is nothing
// about who speaks.
type Utterance struct {
	Item       int64
	Source     int64
	Confidence float32 // mean of the hypothesis, 0 to 1
	Words      int32   // of the hypothesis
	Seconds    float32
	Expires    int32 // in how many days it goes, NeverExpires if nothing says when
}

// NeverExpires is the Expires of what has no date.
const NeverExpires = math.MaxInt32

// Method is how utterances are chosen within each stratum.
type Method string

// The methods.
const (
	Below  Method = "below"  // confidence under Choice.Below
	Lowest Method = "lowest" // the Share of the stratum with the lowest confidence
	Hours  Method = "hours"  // the lowest confidence until the stratum's part of Choice.Hours is full
	Spread Method = "spread" // the Share of every tenth of the stratum by confidence, at random
)

// Methods lists them.
func Methods() []Method { return []Method{Lowest, Below, Hours, Spread} }

// Expiring is what becomes of utterances that go before the work is done.
type Expiring string

// What there is to choose.
const (
	KeepExpiring  Expiring = ""      // as all others
	LeaveExpiring Expiring = "leave" // not chosen
	ExpiringFirst Expiring = "first" // chosen as all others, and first in line
)

// Choice says which utterances a plan takes.
type Choice struct {
	By       string    `json:"by"`    // "words" or "seconds": what strata are made by
	Edges    []float64 `json:"edges"` // where the second, third … stratum begins
	Method   Method    `json:"method"`
	Below    float64   `json:"below,omitempty"` // 0 to 1
	Share    float64   `json:"share,omitempty"` // 0 to 1
	Hours    float64   `json:"hours,omitempty"`
	Control  float64   `json:"control,omitempty"`  // as many as this share of the chosen ones besides, drawn at random from all
	Most     int       `json:"most,omitempty"`     // of one source, 0 for any number
	Shortest float64   `json:"shortest,omitempty"` // what is shorter is left alone, in words or seconds
	Days     int       `json:"days,omitempty"`     // until the work is done
	Expiring Expiring  `json:"expiring,omitempty"`
	Seed     int64     `json:"seed"`
}

// DefaultEdges makes strata of one, two to three, four to seven, and eight words or more.
func DefaultEdges() []float64 { return []float64{2, 4, 8} }

// mostStrata bounds how many strata there are.
const mostStrata = 12

// Fault says what is wrong with a choice and of which of its fields, or "".
func (c Choice) Fault() (field, sentence string) {
	share := func(v float64) bool { return v > 0 && v <= 1 } // false for NaN too
	switch {
	case c.By != "words" && c.By != "seconds":
		return "by", "Choose words or seconds."
	case len(c.Edges) >= mostStrata || !ascending(c.Edges):
		return "edges", fmt.Sprintf("Write at most %d numbers above 0, each above the one before, such as 2, 4, 8.", mostStrata-1)
	case !slices.Contains(Methods(), c.Method):
		return "method", "Choose how utterances are taken."
	case c.Method == Below && !share(c.Below):
		return "below", "Choose a confidence above 0 and up to 1."
	case (c.Method == Lowest || c.Method == Spread) && !share(c.Share):
		return "share", "Choose a share above 0 and up to 100 %."
	case c.Method == Hours && !(c.Hours > 0 && c.Hours <= 100_000):
		return "hours", "Choose how many hours of sound to take, above 0."
	case !(c.Control >= 0 && c.Control <= 1):
		return "control", "Choose a control share between 0 and 100 % of what is chosen."
	case c.Most < 0:
		return "most", "Choose how many of one source at most, or leave it empty."
	case !(c.Shortest >= 0 && c.Shortest <= 10_000):
		return "shortest", "Choose a length from 0 on."
	case c.Days < 0 || c.Days > 3650:
		return "days", "Choose within how many days the work is done, up to ten years."
	case c.Expiring != KeepExpiring && c.Expiring != LeaveExpiring && c.Expiring != ExpiringFirst:
		return "expiring", "Choose what becomes of utterances that go before the work is done."
	case c.Expiring != KeepExpiring && c.Days == 0:
		return "days", "Say within how many days the work is done, so that it is known what goes before."
	}
	return "", ""
}

func ascending(edges []float64) bool {
	for i, edge := range edges {
		if !(edge > 0 && edge <= 10_000) || i > 0 && edge <= edges[i-1] {
			return false
		}
	}
	return true
}

// length is what strata are made by.
func (c Choice) length(u *Utterance) float64 {
	if c.By == "seconds" {
		return float64(u.Seconds)
	}
	return float64(u.Words)
}

// StratumOf is the stratum of a length, from 0.
func (c Choice) StratumOf(length float64) (stratum int) {
	for stratum < len(c.Edges) && length >= c.Edges[stratum] {
		stratum++
	}
	return stratum
}

// StratumName is what a stratum is called, such as "4–7 words".
func (c Choice) StratumName(stratum int) string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	if len(c.Edges) == 0 {
		return "all lengths"
	}
	if stratum >= len(c.Edges) {
		return number(c.Edges[len(c.Edges)-1]) + " " + c.By + " and more"
	}
	next := c.Edges[stratum]
	if c.By == "seconds" {
		if stratum == 0 {
			return "under " + number(next) + " seconds"
		}
		return number(c.Edges[stratum-1]) + " to " + number(next) + " seconds"
	}
	last := math.Ceil(next) - 1 // words are counted whole
	switch {
	case stratum == 0 && last <= 1:
		return "up to 1 word"
	case stratum == 0:
		return "up to " + number(last) + " words"
	case math.Ceil(c.Edges[stratum-1]) >= last:
		return number(last) + " words"
	}
	return number(math.Ceil(c.Edges[stratum-1])) + "–" + number(last) + " words"
}

// Bins is how many bars a histogram of confidence has.
const Bins = 20

// Bin is the bar of a confidence.
func Bin(confidence float32) int { return min(int(confidence*Bins), Bins-1) }

// StratumSum says what there is of a stratum, and what is taken.
type StratumSum struct {
	Name    string    `json:"name"`
	All     [Bins]int `json:"all"`
	Chosen  [Bins]int `json:"chosen"`
	Control [Bins]int `json:"control"`
	Items   int       `json:"items"`
	Taken   int       `json:"taken"` // by choice, without the control
	Seconds float64   `json:"seconds"`
	// UpTo is the highest confidence among what was chosen, 0 for none.
	UpTo float32 `json:"up_to"`
}

// Pick is an utterance that a plan takes.
type Pick struct {
	Item       int64
	Control    bool
	Stratum    int // from 0
	Decile     int // of confidence within the stratum, 1 the least sure to 10
	Confidence float32
	Seconds    float32
	Expires    int32

	lot uint64 // its place in line
}

// Selection is what a choice comes to.
type Selection struct {
	Picks   []Pick // in the order in which they are to be worked on
	Strata  []StratumSum
	Items   int     // to choose from
	Chosen  int     // by the method
	Control int     // at random besides
	Seconds float64 // of the picks
	Capped  int     // not taken since their source had its number
	Expired int     // not taken since they go before
	Short   int     // not taken since they are shorter than is wanted
}

// fine is how many bins confidences are counted by on the way to the lowest.
const fine = 4096

func fineBin(confidence float32) int { return min(int(confidence*fine), fine-1) }

// stratum is one while it is chosen from.
type stratum struct {
	of        []int32         // places in the utterances, bin by bin
	bins      [fine + 1]int32 // where in it each bin begins
	quantiles [9]float32      // the confidences that end the first to ninth tenth
	seconds   float64
}

// draw is a selection being made.
type draw struct {
	Choice
	all    []Utterance
	strata []stratum
	taken  []bool // by place: the control, so that nothing is taken twice
	out    Selection
}

// Select makes a choice among utterances. It depends on the set of them and on the choice alone, not on their order.
func Select(all []Utterance, c Choice) Selection {
	d := &draw{Choice: c, all: all, strata: make([]stratum, len(c.Edges)+1)}
	d.out.Strata = make([]StratumSum, len(d.strata))
	for i := range d.strata {
		d.out.Strata[i].Name = c.StratumName(i)
	}
	d.sort()
	candidates := d.candidates()
	var control []int32
	if c.Control > 0 {
		control = d.control(len(d.capped(slices.Clone(candidates), nil)))
	}
	sources := map[int64]int{}
	for _, place := range control {
		sources[all[place].Source]++
	}
	candidates = slices.DeleteFunc(candidates, func(p candidate) bool { return d.taken[p.place] })
	kept := d.capped(candidates, sources)
	d.out.Capped = len(candidates) - len(kept)
	for _, place := range control {
		d.pick(place, true)
	}
	for _, p := range kept {
		d.pick(p.place, false)
	}
	d.order()
	return d.out
}

// sort deals the utterances to their strata.
func (d *draw) sort() {
	for i := range d.all {
		u := &d.all[i]
		length := d.length(u)
		switch {
		case length < d.Shortest:
			d.out.Short++
			continue
		case d.Expiring == LeaveExpiring && int(u.Expires) < d.Days:
			d.out.Expired++
			continue
		}
		at := d.StratumOf(length)
		s, sum := &d.strata[at], &d.out.Strata[at]
		s.of = append(s.of, int32(i))
		s.seconds += float64(u.Seconds)
		sum.Seconds += float64(u.Seconds)
		sum.All[Bin(u.Confidence)]++
		sum.Items++
		d.out.Items++
	}
	d.taken = make([]bool, len(d.all))
	for i := range d.strata {
		d.bin(&d.strata[i])
	}
}

// bin deals a stratum's utterances to their bins, and reads its quantiles off them.
func (d *draw) bin(s *stratum) {
	for _, place := range s.of {
		s.bins[fineBin(d.all[place].Confidence)+1]++
	}
	for i := range fine {
		s.bins[i+1] += s.bins[i]
	}
	dealt, next := make([]int32, len(s.of)), s.bins
	for _, place := range s.of {
		bin := fineBin(d.all[place].Confidence)
		dealt[next[bin]] = place
		next[bin]++
	}
	s.of = dealt
	if len(dealt) == 0 {
		return
	}
	for i := range s.quantiles {
		rank := ((i+1)*len(dealt)+9)/10 - 1
		bin := fineBin(d.all[dealt[rank]].Confidence)
		slices.SortFunc(dealt[s.bins[bin]:s.bins[bin+1]], d.compare)
		s.quantiles[i] = d.all[dealt[rank]].Confidence
	}
}

// decile of a confidence within the stratum, from 1.
func (s *stratum) decile(confidence float32) int {
	decile := 1
	for decile <= 9 && confidence > s.quantiles[decile-1] {
		decile++
	}
	return decile
}

// candidate is what the method takes, before what one source may have is looked at. At is how far up its stratum it lies, 0 to 1.
type candidate struct {
	place int32
	at    float64
}

// candidates are what the method takes of all strata.
func (d *draw) candidates() (list []candidate) {
	total := 0.0
	for i := range d.strata {
		total += d.strata[i].seconds
	}
	for i := range d.strata {
		s := &d.strata[i]
		var places []int32
		switch d.Method {
		case Below:
			places = d.lowest(s, func(u *Utterance, _ int, _ float64) bool { return float64(u.Confidence) >= d.Below })
		case Lowest:
			wanted := shareOf(d.Share, len(s.of))
			places = d.lowest(s, func(_ *Utterance, n int, _ float64) bool { return n >= wanted })
		case Hours:
			budget := 0.0
			if total > 0 {
				budget = d.Hours * 3600 * s.seconds / total
			}
			places = d.lowest(s, func(u *Utterance, _ int, seconds float64) bool { return seconds+float64(u.Seconds) > budget*(1+1e-9) })
		case Spread:
			places = d.spread(s)
		}
		for rank, place := range places {
			list = append(list, candidate{place, float64(rank) / float64(len(s.of))})
		}
	}
	return list
}

// lowest takes the least sure ones of a stratum, in order, until full says that the next one, after n of so many seconds, is too
// many. Those of the same confidence come in the order of their lots. Only as many are sorted as are taken.
func (d *draw) lowest(s *stratum, full func(next *Utterance, n int, seconds float64) bool) []int32 {
	seconds := 0.0
	for bin := range fine {
		part := s.of[s.bins[bin]:s.bins[bin+1]]
		slices.SortFunc(part, d.compare)
		for i, place := range part {
			u := &d.all[place]
			n := int(s.bins[bin]) + i
			if full(u, n, seconds) {
				return s.of[:n]
			}
			seconds += float64(u.Seconds)
		}
	}
	return s.of
}

// compare orders by confidence, then by lot.
func (d *draw) compare(a, b int32) int {
	if by := cmp.Compare(d.all[a].Confidence, d.all[b].Confidence); by != 0 {
		return by
	}
	return d.byLot(d.Seed, a, b)
}

func (d *draw) byLot(seed int64, a, b int32) int {
	one, other := d.all[a].Item, d.all[b].Item
	if by := cmp.Compare(lot(seed, one), lot(seed, other)); by != 0 {
		return by
	}
	return cmp.Compare(one, other)
}

// spread draws the share of every tenth.
func (d *draw) spread(s *stratum) (places []int32) {
	var tenths [10][]int32
	for _, place := range s.of {
		tenth := s.decile(d.all[place].Confidence) - 1
		tenths[tenth] = append(tenths[tenth], place)
	}
	for _, tenth := range tenths {
		places = append(places, d.drawn(d.Seed, tenth, shareOf(d.Share, len(tenth)))...)
	}
	slices.SortFunc(places, d.compare)
	return places
}

// drawn are n of these places, drawn at random.
func (d *draw) drawn(seed int64, places []int32, n int) []int32 {
	slices.SortFunc(places, func(a, b int32) int { return d.byLot(seed, a, b) })
	return places[:min(n, len(places))]
}

// capped leaves of each source the first Most, those that lie lowest in their strata; sources says how many of each there are already.
func (d *draw) capped(list []candidate, sources map[int64]int) []candidate {
	if d.Most == 0 {
		return list
	}
	if sources == nil {
		sources = map[int64]int{}
	}
	slices.SortFunc(list, func(a, b candidate) int {
		if by := cmp.Compare(a.at, b.at); by != 0 {
			return by
		}
		return d.byLot(d.Seed, a.place, b.place)
	})
	kept := list[:0:0]
	for _, c := range list {
		source := d.all[c.place].Source
		if sources[source] < d.Most {
			sources[source]++
			kept = append(kept, c)
		}
	}
	return kept
}

func (d *draw) pick(place int32, control bool) {
	u := &d.all[place]
	at := d.StratumOf(d.length(u))
	sum := &d.out.Strata[at]
	if control {
		sum.Control[Bin(u.Confidence)]++
		d.out.Control++
	} else {
		sum.Chosen[Bin(u.Confidence)]++
		sum.Taken++
		sum.UpTo = max(sum.UpTo, u.Confidence)
		d.out.Chosen++
	}
	d.out.Seconds += float64(u.Seconds)
	d.out.Picks = append(d.out.Picks, Pick{
		Item: u.Item, Control: control, Stratum: at, Decile: d.strata[at].decile(u.Confidence), Confidence: u.Confidence, Seconds: u.Seconds, Expires: u.Expires,
		lot: lot(d.Seed, u.Item),
	})
}

// order mixes the picks, so that nobody can tell from its place why an utterance is there, with those that go soon first where that is asked.
func (d *draw) order() {
	soon := func(p *Pick) int32 {
		if d.Expiring == ExpiringFirst && int(p.Expires) < d.Days {
			return p.Expires
		}
		return NeverExpires
	}
	slices.SortFunc(d.out.Picks, func(a, b Pick) int {
		return cmp.Or(cmp.Compare(soon(&a), soon(&b)), cmp.Compare(a.lot, b.lot), cmp.Compare(a.Item, b.Item))
	})
}
