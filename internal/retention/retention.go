// Package retention says when what is kept becomes too little: from how many items go in which week it works out how
// many are left, and the week from which they no longer do what they are there for.
package retention

import (
	"math"
	"time"
)

// z is the 97.5 % quantile of the normal distribution.
const z = 1.959963984540054

// HalfWidth is half the width of the 95 % confidence interval of a proportion (a recall, an accuracy) that is measured
// on n items: how far a figure may be off for want of items. It is that of Wilson's score interval (E. B. Wilson,
// "Probable inference, the law of succession, and statistical inference", JASA 22, 1927; recommended by Brown, Cai and
// DasGupta, Statistical Science 16, 2001) for a proportion of one half, where it is widest:
//
//	z / (2 √(n + z²))
//
// Of no items it is 0.5: nothing is known.
func HalfWidth(n int) float64 { return z / (2 * math.Sqrt(float64(max(n, 0))+z*z)) }

// ItemsFor is the least number of items whose HalfWidth is no more than limit, which lies above 0.
func ItemsFor(limit float64) int {
	n := int(max(0, math.Ceil(z*z*(1/(4*limit*limit)-1))))
	for n > 0 && HalfWidth(n-1) <= limit { // rounding
		n--
	}
	for HalfWidth(n) > limit {
		n++
	}
	return n
}

// week is how long a week is; they are counted in UTC, where none is longer than another.
const week = 7 * 24 * time.Hour

// WeekOf is the Monday, at midnight UTC, of the week in which t lies.
func WeekOf(t time.Time) time.Time {
	t = t.UTC()
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return midnight.AddDate(0, 0, -(int(midnight.Weekday())+6)%7)
}

// WeeksAfter is how many weeks later than first, a Monday, another Monday lies.
func WeeksAfter(first, monday time.Time) int { return int(monday.Sub(first) / week) }

// Loss is how many items go in the week that begins with a Monday.
type Loss struct {
	Week  time.Time
	Items int
}

// Total is how many items go in all.
func Total(losses []Loss) (items int) {
	for _, l := range losses {
		items += l.Items
	}
	return items
}

// Remaining is how many of items are left at the end of each of so many weeks from first on, a Monday. What should have
// gone before goes in the first.
func Remaining(items int, losses []Loss, first time.Time, weeks int) []int {
	left := make([]int, weeks)
	for _, l := range losses {
		if at := max(0, WeeksAfter(first, l.Week)); at < weeks {
			left[at] += l.Items
		}
	}
	for at, gone := range left {
		items -= gone
		left[at] = items
	}
	return left
}

// Stock is how many items some part of a dataset version has, and has to have.
type Stock struct {
	Frozen int // when the version was frozen
	Items  int // now
	Wanted int // it is to have at least so many; 0 for no such wish
	// Limit is the HalfWidth that must not be passed; 0 for none.
	Limit float64
}

// Stand is how something that must hold does.
type Stand string

// The stands, the worst first, but for NeverHeld: what was so from the start gets no worse by an expiry.
const (
	Fallen    Stand = "fallen"     // it held when the version was frozen, and does not any more
	Falls     Stand = "falls"      // it will not hold from a known week on
	Holds     Stand = "holds"      // whatever expires, it holds
	NeverHeld Stand = "never_held" // not even when the version was frozen
)

// Fall says whether, and from when on, something no longer holds.
type Fall struct {
	Stand Stand
	Week  time.Time // of Falls: the week in whose course it ceases to hold
	Left  int       // of Falls: how many items are left at the end of that week
}

// Forecast is what becomes of a part of a dataset version as its items expire.
type Forecast struct {
	Below Fall // fewer than wanted
	Wide  Fall // the interval passes the limit
}

// Foretell works out what becomes of a stock as items go. It holds for as long as no date changes and nothing is
// erased on request. Losses of one week may be apart, and in any order.
func Foretell(s Stock, losses []Loss) Forecast {
	enough := 0
	if s.Limit > 0 {
		enough = ItemsFor(s.Limit)
	}
	return Forecast{Below: s.fall(s.Wanted, losses), Wide: s.fall(enough, losses)}
}

// fall says when fewer than least are left.
func (s Stock) fall(least int, losses []Loss) Fall {
	switch {
	case s.Frozen < least:
		return Fall{Stand: NeverHeld}
	case s.Items < least:
		return Fall{Stand: Fallen}
	}
	byWeek := map[time.Time]int{}
	for _, l := range losses {
		byWeek[l.Week] += l.Items
	}
	left := s.Items
	for _, monday := range sorted(byWeek) {
		if left -= byWeek[monday]; left < least {
			return Fall{Stand: Falls, Week: monday, Left: left}
		}
	}
	return Fall{Stand: Holds}
}

// Soonest is the first of the two to go wrong: what has fallen before what falls, and that by its week.
func (f Forecast) Soonest() Fall {
	if before(f.Wide, f.Below) {
		return f.Wide
	}
	return f.Below
}

var order = map[Stand]int{Fallen: 0, Falls: 1, Holds: 2, NeverHeld: 3}

func before(a, b Fall) bool {
	if a.Stand == Falls && b.Stand == Falls {
		return a.Week.Before(b.Week)
	}
	return order[a.Stand] < order[b.Stand]
}
