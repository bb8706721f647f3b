package retention

import (
	"maps"
	"math"
	"slices"
	"time"
)

func sorted(byWeek map[time.Time]int) []time.Time {
	return slices.SortedFunc(maps.Keys(byWeek), time.Time.Compare)
}

// Shades is how many shades a calendar has, from the lightest for few items to the darkest for the most.
const Shades = 4

// Shade is the shade of a week in which so many items go, of a calendar whose fullest week has most: 0 for none, then
// 1 to Shades in equal steps of the logarithm, since the weeks of one calendar differ by powers of ten.
func Shade(items, most int) int {
	if items <= 0 || most <= 0 {
		return 0
	}
	share := math.Log1p(float64(items)) / math.Log1p(float64(max(items, most)))
	return min(Shades, max(1, int(math.Ceil(share*Shades))))
}

// Shortfall is how many items must come so that there are wanted ones again when left are left.
func Shortfall(wanted, left int) int { return max(0, wanted-left) }
