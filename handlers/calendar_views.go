package handlers

import (
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"fiducial/internal/retention"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// day is how a date is written in a sentence.
func day(t time.Time) string { return t.UTC().Format("2 Jan 2006") }

// widest is up to how many weeks the cells of the calendar have room for their figures.
const widest = 26

// fillCalendar fills in the strip of weeks of each source, its table, and the figures over it.
func fillCalendar(v *web.CalendarView, a askedCalendar, calendars []store.SourceCalendar) {
	most := 0
	cells := make([][]web.CalendarCell, len(calendars))
	for i, c := range calendars {
		cells[i] = a.cells(c)
		for _, cell := range cells[i] {
			most = max(most, cell.Items)
		}
	}
	for i, c := range calendars {
		row := web.CalendarRow{
			Name: c.Source, Policy: policyWords(c.Days), AllHeld: c.AllHeld, Held: c.Held, Cells: cells[i],
			Href: with(retentionPath, url.Values{"within": {a.horizon}}, "source", strconv.FormatInt(c.SourceID, 10)),
		}
		for n := range row.Cells {
			cell := &row.Cells[n]
			cell.Shade = retention.Shade(cell.Items, most)
			cell.Figure = a.weeks <= widest
			cell.Says = cellWords(*cell, a.week(n), c.Source)
			row.Within += cell.Items
		}
		row.Later = retention.Total(c.Losses) - row.Within
		v.Rows = append(v.Rows, row)
		v.Items, v.Undated, v.Held = v.Items+c.Items, v.Undated+c.Undated, v.Held+c.Held
		v.Expiring += row.Within
	}
	v.Months = a.months()
	v.Legend = shadeWords(most)
	v.Table = calendarTable(a, calendars)
}

// cells counts what goes in each week, and what a hold keeps from going.
func (a askedCalendar) cells(c store.SourceCalendar) []web.CalendarCell {
	cells := make([]web.CalendarCell, a.weeks)
	for _, l := range c.Losses {
		if at := a.place(l.Week); at < a.weeks {
			cells[at].Items += l.Items
		}
	}
	for _, l := range c.Kept {
		if at := a.place(l.Week); at < a.weeks {
			cells[at].Kept += l.Items
		}
	}
	return cells
}

func policyWords(days *int) string {
	if days == nil {
		return "no time limit"
	}
	return counted(*days, "day", "days")
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return ui.Number(n) + " " + many
}

func cellWords(c web.CalendarCell, week time.Time, source string) string {
	words := fmt.Sprintf("%s, week of %s: %s", source, day(week), counted(c.Items, "item expires", "items expire"))
	if c.Kept > 0 {
		words += fmt.Sprintf(", %s held", counted(c.Kept, "is", "are"))
	}
	return words
}

// months name the columns: each stands over the weeks that begin in it.
func (a askedCalendar) months() (months []web.CalendarMonth) {
	for n := range a.weeks {
		label := a.week(n).Format("Jan")
		if last := len(months) - 1; last >= 0 && months[last].Label == label {
			months[last].Weeks++
			continue
		}
		months = append(months, web.CalendarMonth{Label: label, Weeks: 1})
	}
	return months
}

// shadeWords says for each shade of which counts it is; a shade of none is left out.
func shadeWords(most int) (legend []web.CalendarShade) {
	from := 1
	for shade := 1; shade <= retention.Shades; shade++ {
		to := sort.Search(most+1, func(n int) bool { return retention.Shade(n, most) > shade })
		switch {
		case to == from:
			continue
		case to-1 == from:
			legend = append(legend, web.CalendarShade{Shade: shade, Label: ui.Number(from)})
		default:
			legend = append(legend, web.CalendarShade{Shade: shade, Label: ui.Number(from) + " to " + ui.Number(to-1)})
		}
		from = to
	}
	return legend
}

// calendarTable are the weeks in which something goes or is kept, up to the horizon, by week and source.
func calendarTable(a askedCalendar, calendars []store.SourceCalendar) (rows []web.CalendarWeek) {
	for _, c := range calendars {
		for n, cell := range a.cells(c) {
			if cell.Items+cell.Kept > 0 {
				rows = append(rows, web.CalendarWeek{Week: a.week(n), Source: c.Source, Items: cell.Items, Held: cell.Kept})
			}
		}
	}
	slices.SortStableFunc(rows, func(x, y web.CalendarWeek) int { return x.Week.Compare(y.Week) })
	return rows
}

// stratumWords names the part of a split: empty for the whole.
func stratumWords(f store.Forecast) string {
	var parts []string
	if f.Project != nil {
		parts = append(parts, *f.Project)
	}
	if f.Class != nil {
		parts = append(parts, *f.Class)
		if *f.Class == "" {
			parts[len(parts)-1] = "no box"
		}
	}
	if f.Source != nil {
		parts = append(parts, *f.Source)
	}
	if f.Stratum != nil && len(parts) == 0 {
		return "all"
	}
	return strings.Join(parts, ", ")
}

func (a askedCalendar) partRow(f store.Forecast, edits bool) web.PartRow {
	left := retention.Remaining(f.Items, f.Losses, a.first, a.weeks)
	row := web.PartRow{
		Dataset: f.Dataset, Number: f.Number, Split: f.Split, Stratum: stratumWords(f),
		Items: f.Items, Frozen: f.Frozen, Held: f.Held, Wanted: f.Wanted, Then: left[a.weeks-1],
		Margin: points(retention.HalfWidth(f.Items)), ThenMargin: points(retention.HalfWidth(left[a.weeks-1])),
		Curve: curveOf(f.Items, left, f.Wanted),
	}
	row.Verdicts = a.verdicts(f)
	if edits && row.Verdicts[0].Tone != ui.OK {
		row.Batches = a.batchLinks(f, left[a.weeks-1])
	}
	return row
}

// verdicts say what becomes of a part, what is worse first.
func (a askedCalendar) verdicts(f store.Forecast) []web.Verdict {
	limit := "±" + points(f.Margin) + " points"
	var list []web.Verdict
	switch f.Below {
	case retention.Fallen:
		list = append(list, web.Verdict{Tone: ui.Bad, Words: fmt.Sprintf("below %s already", ui.Number(f.Wanted))})
	case retention.Falls:
		list = append(list, web.Verdict{Tone: a.urgency(*f.BelowWeek), Words: fmt.Sprintf("falls below %s %s", ui.Number(f.Wanted), a.inWeek(*f.BelowWeek))})
	case retention.Holds, retention.NeverHeld:
	}
	switch f.Wide {
	case retention.Fallen:
		list = append(list, web.Verdict{Tone: ui.Bad, Words: "interval wider than " + limit + " already"})
	case retention.Falls:
		list = append(list, web.Verdict{Tone: a.urgency(*f.WideWeek), Words: "interval passes " + limit + " " + a.inWeek(*f.WideWeek)})
	case retention.NeverHeld:
		list = append(list, web.Verdict{Tone: ui.Neutral, Words: "interval was never within " + limit})
	case retention.Holds:
	}
	if f.Below == retention.Holds && (f.Wide == retention.Holds || f.Wide == retention.NeverHeld) {
		list = slices.Insert(list, 0, web.Verdict{Tone: ui.OK, Words: "keeps its size"})
	}
	return list
}

// soon is within how many weeks something is urgent.
const soon = 4

func (a askedCalendar) urgency(week time.Time) ui.Tone {
	if a.place(week) <= soon {
		return ui.Bad
	}
	return ui.Warn
}

func (a askedCalendar) inWeek(week time.Time) string {
	switch ahead := a.place(week); ahead {
	case 0:
		return "this week"
	case 1:
		return "next week"
	default:
		return fmt.Sprintf("in the week of %s, in %d weeks", day(week), ahead)
	}
}

// batchLinks lead to forms that make batches of what would replace a part's losses: as many unlabeled items of its kind
// as will be missing at the horizon, none of which expires itself, wanted by the end of the week before they are missed.
func (a askedCalendar) batchLinks(f store.Forecast, left int) (links []web.PartBatch) {
	size := retention.Shortfall(f.Wanted, left)
	if f.Wide == retention.Falls || f.Wide == retention.Fallen {
		size = max(size, retention.Shortfall(retention.ItemsFor(f.Margin), left))
	}
	size = min(max(size, 1), store.BatchMost)
	due := a.now.AddDate(0, 0, 7)
	if f.Below == retention.Falls {
		due = *f.BelowWeek
	}
	if f.Wide == retention.Falls && (f.Below != retention.Falls || f.WideWeek.Before(due)) {
		due = *f.WideWeek
	}
	if due = due.AddDate(0, 0, -3); due.Before(a.now) { // the Friday before
		due = a.now.AddDate(0, 0, 1)
	}
	title := "Refill " + f.Split
	if words := stratumWords(f); words != "" {
		title += ", " + words + ","
	}
	title += " of " + f.Dataset
	for _, p := range f.Batches {
		query := url.Values{
			"state": {string(store.NeverLabeled)}, "lasting": {"yes"}, "size": {strconv.Itoa(size)}, "due": {due.Format(time.DateOnly)}, "title": {title},
		}
		if p.ClassID != 0 {
			query.Set("class", strconv.FormatInt(p.ClassID, 10))
		}
		if f.SourceID != nil {
			query.Set("source", strconv.FormatInt(*f.SourceID, 10))
		}
		links = append(links, web.PartBatch{Project: p.Name, Href: with(batchesPath(p.Slug)+"/new", query), Size: size})
	}
	return links
}

// The box that a curve is drawn in.
const (
	curveWidth  = 160
	curveHeight = 24
)

// curveOf draws how many items are left week by week, and the number that is wanted.
func curveOf(items int, left []int, wanted int) web.CurveView {
	lowest, highest := min(left[len(left)-1], wanted), max(items, wanted)
	pad := max(1, (highest-lowest)/8)
	y := func(n int) string {
		return strconv.FormatFloat(2+float64(highest+pad-n)/float64(highest-lowest+2*pad)*(curveHeight-4), 'f', 1, 64)
	}
	x := func(week int) string {
		return strconv.FormatFloat(float64(week)/float64(len(left))*curveWidth, 'f', 1, 64)
	}
	v := web.CurveView{Wanted: "M0 " + y(wanted) + "H" + strconv.Itoa(curveWidth)}
	path := "M0 " + y(items)
	last := items
	for week, n := range left {
		if n == last {
			continue
		}
		path += "H" + x(week) + "V" + y(n)
		if n < wanted && last >= wanted {
			v.CutX, v.CutY = x(week), y(n)
			v.Above, path = path, "M"+x(week)+" "+y(n)
		}
		last = n
	}
	path += "H" + strconv.Itoa(curveWidth)
	if v.CutX == "" && items >= wanted {
		v.Above = path
	} else {
		v.Under = path
	}
	return v
}
