package retention_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fiducial/internal/quality"
	"fiducial/internal/retention"
)

// monday is a Monday, and week that many weeks after it.
var monday = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

func week(n int) time.Time { return monday.AddDate(0, 0, 7*n) }

func TestHalfWidth(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		n    int
		want float64
	}{
		{0, 0.5}, {10, 0.26340}, {50, 0.13355}, {100, 0.09617}, {380, 0.05002}, {381, 0.04996}, {10_000, 0.00980},
	} {
		if got := retention.HalfWidth(tt.n); math.Abs(got-tt.want) > 1e-5 {
			t.Errorf("HalfWidth(%d) = %.5f, want %.5f", tt.n, got, tt.want)
		}
	}
}

// TestHalfWidthIsWilsons compares with the interval that the rest of the product shows.
func TestHalfWidthIsWilsons(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 10, 64, 400, 12_000} {
		interval := quality.Wilson(n/2, n)
		if got, want := retention.HalfWidth(n), (interval.High-interval.Low)/2; math.Abs(got-want) > 1e-9 {
			t.Errorf("n = %d: %.9f, Wilson's interval of one half has %.9f", n, got, want)
		}
	}
}

func TestItemsFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		limit float64
		want  int
	}{{0.05, 381}, {0.1, 93}, {0.01, 9600}, {0.5, 0}, {0.6, 0}} {
		if got := retention.ItemsFor(tt.limit); got != tt.want {
			t.Errorf("ItemsFor(%g) = %d, want %d", tt.limit, got, tt.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Float64Range(0.003, 0.6).Draw(t, "limit")
		n := retention.ItemsFor(limit)
		if retention.HalfWidth(n) > limit {
			t.Fatalf("%d items are too few for %g", n, limit)
		}
		if n > 0 && retention.HalfWidth(n-1) <= limit {
			t.Fatalf("%d items are enough for %g already", n-1, limit)
		}
	})
}

func TestWeekOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ at, want string }{
		{"2026-11-23T00:00:00Z", "2026-11-23"},      // a Monday's first moment
		{"2026-11-29T23:59:59Z", "2026-11-23"},      // a Sunday's last
		{"2027-01-01T12:00:00Z", "2026-12-28"},      // across the year
		{"2026-11-30T00:30:00+01:00", "2026-11-23"}, // Monday there, Sunday in UTC
	} {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := retention.WeekOf(at).Format(time.DateOnly); got != tt.want {
			t.Errorf("WeekOf(%s) = %s, want %s", tt.at, got, tt.want)
		}
	}
}

func TestForetell(t *testing.T) {
	t.Parallel()
	holds := retention.Fall{Stand: retention.Holds}
	for _, tt := range []struct {
		name   string
		stock  retention.Stock
		losses []retention.Loss
		want   retention.Forecast
	}{
		{"nothing expires", retention.Stock{Frozen: 400, Items: 400, Wanted: 400, Limit: 0.05}, nil, retention.Forecast{Below: holds, Wide: holds}},
		{
			"size first, then the interval",
			retention.Stock{Frozen: 500, Items: 500, Wanted: 450, Limit: 0.05},
			[]retention.Loss{{week(3), 40}, {week(1), 20}, {week(3), 20}, {week(9), 100}},
			retention.Forecast{Below: retention.Fall{Stand: retention.Falls, Week: week(3), Left: 420}, Wide: retention.Fall{Stand: retention.Falls, Week: week(9), Left: 320}},
		},
		{
			"exactly the wanted number is enough",
			retention.Stock{Frozen: 10, Items: 10, Wanted: 8},
			[]retention.Loss{{week(0), 2}, {week(5), 1}},
			retention.Forecast{Below: retention.Fall{Stand: retention.Falls, Week: week(5), Left: 7}, Wide: holds},
		},
		{
			"an erasure took too many",
			retention.Stock{Frozen: 100, Items: 80, Wanted: 90, Limit: 0.1},
			nil,
			retention.Forecast{Below: retention.Fall{Stand: retention.Fallen}, Wide: retention.Fall{Stand: retention.Fallen}},
		},
		{
			"few from the start",
			retention.Stock{Frozen: 8, Items: 8, Limit: 0.05},
			[]retention.Loss{{week(2), 8}},
			retention.Forecast{Below: holds, Wide: retention.Fall{Stand: retention.NeverHeld}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, retention.Foretell(tt.stock, tt.losses)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSoonest(t *testing.T) {
	t.Parallel()
	falls := func(n int) retention.Fall { return retention.Fall{Stand: retention.Falls, Week: week(n)} }
	fallen, holds, never := retention.Fall{Stand: retention.Fallen}, retention.Fall{Stand: retention.Holds}, retention.Fall{Stand: retention.NeverHeld}
	for _, tt := range []struct{ below, wide, want retention.Fall }{
		{falls(3), falls(2), falls(2)}, {falls(2), falls(3), falls(2)}, {falls(2), fallen, fallen}, {holds, falls(7), falls(7)}, {holds, never, holds}, {never, holds, holds},
	} {
		if got := (retention.Forecast{Below: tt.below, Wide: tt.wide}).Soonest(); got != tt.want {
			t.Errorf("of %v and %v: %v, want %v", tt.below, tt.wide, got, tt.want)
		}
	}
}

// drawnLosses are losses that come to no more than items.
func drawnLosses(t *rapid.T, items int) (losses []retention.Loss) {
	for range rapid.IntRange(0, 8).Draw(t, "losses") {
		n := rapid.IntRange(0, items).Draw(t, "items")
		losses = append(losses, retention.Loss{Week: week(rapid.IntRange(-3, 60).Draw(t, "week")), Items: n})
		items -= n
	}
	return losses
}

func TestRemainingAddsUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.IntRange(0, 2000).Draw(t, "stock")
		losses := drawnLosses(t, items)
		weeks := rapid.IntRange(1, 53).Draw(t, "weeks")
		left := retention.Remaining(items, losses, monday, weeks)
		gone := 0
		for _, l := range losses {
			if l.Week.Before(week(weeks)) {
				gone += l.Items
			}
		}
		if len(left) != weeks || left[weeks-1] != items-gone {
			t.Fatalf("%d of %d are left after %d weeks in which %d go", left[weeks-1], items, weeks, gone)
		}
		if !slices.IsSortedFunc(left, func(a, b int) int { return b - a }) || left[weeks-1] < 0 {
			t.Fatalf("what is left grows again: %v", left)
		}
	})
}

// TestForetellAgreesWithWhatRemains looks for the week in the curve, where it must be found too.
func TestForetellAgreesWithWhatRemains(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.IntRange(0, 2000).Draw(t, "stock")
		losses := drawnLosses(t, items)
		wanted := rapid.IntRange(0, items).Draw(t, "wanted")
		below := retention.Foretell(retention.Stock{Frozen: items, Items: items, Wanted: wanted}, losses).Below
		left := retention.Remaining(items, losses, week(-3), 64)
		at := slices.IndexFunc(left, func(n int) bool { return n < wanted })
		switch {
		case at < 0 && below.Stand != retention.Holds:
			t.Fatalf("%v, yet enough is left in every week", below)
		case at >= 0 && (below.Stand != retention.Falls || !below.Week.Equal(week(at-3)) || below.Left != left[at]):
			t.Fatalf("%v, yet %d are left in week %d", below, left[at], at-3)
		}
	})
}

// TestFewerItemsNeverFallLater: with items gone early, or wished for in greater number, the week cannot move back.
func TestFewerItemsNeverFallLater(t *testing.T) {
	t.Parallel()
	later := func(a, b retention.Fall) bool { // a is a later fall than b
		if a.Stand == retention.Falls && b.Stand == retention.Falls {
			return a.Week.After(b.Week)
		}
		return a.Stand == retention.Holds && b.Stand != retention.Holds || a.Stand == retention.Falls && b.Stand == retention.Fallen
	}
	rapid.Check(t, func(t *rapid.T) {
		stock := retention.Stock{Frozen: rapid.IntRange(1, 2000).Draw(t, "frozen")}
		stock.Items = rapid.IntRange(0, stock.Frozen).Draw(t, "stock")
		stock.Wanted = rapid.IntRange(0, stock.Frozen).Draw(t, "wanted")
		stock.Limit = retention.HalfWidth(stock.Frozen) + rapid.Float64Range(0, 0.3).Draw(t, "limit")
		losses := drawnLosses(t, stock.Items)
		was := retention.Foretell(stock, losses)
		fewer, more, greedier := stock, slices.Clone(losses), stock
		fewer.Items -= rapid.IntRange(0, stock.Items-retention.Total(losses)).Draw(t, "fewer")
		greedier.Wanted = rapid.IntRange(stock.Wanted, stock.Frozen).Draw(t, "greedier")
		if len(more) > 0 {
			more[0].Week = more[0].Week.AddDate(0, 0, -7*rapid.IntRange(0, 20).Draw(t, "earlier"))
		}
		for name, is := range map[string]retention.Forecast{
			"fewer items": retention.Foretell(fewer, losses), "an earlier loss": retention.Foretell(stock, more), "a greater wish": retention.Foretell(greedier, losses),
		} {
			if later(is.Below, was.Below) || later(is.Wide, was.Wide) {
				t.Fatalf("%s: %v after %v", name, is, was)
			}
		}
	})
}

func TestShade(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ items, most, want int }{
		{0, 100, 0}, {1, 1, 4}, {1, 1000, 1}, {100, 1000, 3}, {1000, 1000, 4}, {5, 0, 0}, {30, 10, 4},
	} {
		if got := retention.Shade(tt.items, tt.most); got != tt.want {
			t.Errorf("Shade(%d, %d) = %d, want %d", tt.items, tt.most, got, tt.want)
		}
	}
}
