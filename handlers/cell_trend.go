package handlers

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// The lines of a trend that can be asked for.
const (
	lineSame   = "same"   // the same combination on each version
	lineNewest = "newest" // the newest combination of each moment
)

// tickRoom is how long before and after the points of a trend changes are shown.
const tickRoom = 7 * 24 * time.Hour

// trendOf is the measure that the address asks for; one that the cell does not have is its first of that class, or the headline.
func trendOf(r *http.Request, c store.CellPage) (of store.TrendMeasure) {
	of = store.TrendMeasure{Name: r.URL.Query().Get("measure"), Class: r.URL.Query().Get("class")}
	if !slices.Contains(store.TrendClasses(c.Figures), of.Class) {
		of.Class = ""
	}
	if names := store.TrendMeasures(c.Figures, of.Class); !slices.Contains(names, of.Name) {
		of.Name = ""
		if of.Class != "" && len(names) > 0 {
			of.Name = names[0]
		}
	}
	return of
}

// trendWord is what the measure of a trend is called.
func trendWord(c store.CellPage, of store.TrendMeasure) string {
	word := measureWord(cmp.Or(of.Name, c.Measure))
	switch {
	case of.Class == "":
		return word
	case of.OfTheClass():
		return word + " of " + of.Class
	}
	return word + " on items with " + of.Class
}

// trendOptions are the measures that there are of a class or, without one, of all items.
func trendOptions(c store.CellPage, class string) (options []ui.Option) {
	for _, name := range store.TrendMeasures(c.Figures, class) {
		of := store.TrendMeasure{Name: name, Class: class}
		word := measureWord(name)
		if class != "" && !of.OfTheClass() {
			word += " on its items"
		}
		options = append(options, ui.Option{Value: name, Label: word})
	}
	return options
}

// trendView is the trend of a cell with the changes of its time, at an address that can ask for its lines.
func (s *Server) trendView(r *http.Request, c store.CellPage, of store.TrendMeasure, address string) (web.CellTrendView, error) {
	points, err := s.Store.CellTrend(r.Context(), actorOf(r), c.ID, of)
	if err != nil {
		return web.CellTrendView{}, err
	}
	asked := url.Values{}
	for name, value := range map[string]string{"measure": of.Name, "class": of.Class} {
		if value != "" {
			asked.Set(name, value)
		}
	}
	line := r.URL.Query().Get("line")
	same := slices.DeleteFunc(slices.Clone(points), func(p store.TrendPoint) bool { return !slices.Equal(p.Path, c.Path) })
	if line != lineSame && line != lineNewest {
		line = map[bool]string{true: lineSame, false: lineNewest}[len(same) > 2]
	}
	v := web.CellTrendView{
		Title: cellTitle(c) + " over time", Measure: trendWord(c, of), CSV: with(cellHref(c.ID)+"/trend.csv", asked, "line", line),
		Lines: []ui.Tab{
			{Label: "This combination", Href: with(address, asked, "line", lineSame), Count: len(same), Current: line == lineSame},
			{Label: "The newest of each time", Href: with(address, asked, "line", lineNewest), Count: -1, Current: line == lineNewest},
		},
	}
	v.About = "on the versions of " + c.Dataset
	drawn := trendLines(points, c, line)
	v.Series, v.Points = drawn.names, drawn.points
	if len(v.Points) > 0 {
		v.Ticks, err = s.ticks(r, v.Points[0].At.Add(-tickRoom), v.Points[len(v.Points)-1].At.Add(tickRoom))
	}
	return v, err
}

// trendDrawing is the lines of a trend: the first is the one that the page is about.
type trendDrawing struct {
	names  []string
	points []web.CellTrendPointView
}

// otherLines is how many other combinations are drawn beside the line.
const otherLines = 3

func trendLines(points []store.TrendPoint, c store.CellPage, line string) (d trendDrawing) {
	first := "the newest combination of each time"
	mine := newestOfEach(points, c)
	if line == lineSame {
		first = pathName(c.Models)
		mine = map[int64]bool{}
		for _, p := range points {
			mine[p.Cell] = slices.Equal(p.Path, c.Path)
		}
	}
	d.names = []string{first}
	series := map[string]int{}
	for i := len(points) - 1; i >= 0 && line == lineSame; i-- { // the newest other combinations
		name := pathName(points[i].Models)
		if _, known := series[name]; !known && name != first && len(series) < otherLines {
			series[name] = len(series) + 1
			d.names = append(d.names, name)
		}
	}
	for _, p := range points {
		name := pathName(p.Models)
		n := series[name]
		if mine[p.Cell] {
			n = 0
		} else if p.Cell == c.ID {
			n = len(d.names)
			d.names = append(d.names, name)
		} else if n == 0 {
			continue
		}
		d.points = append(d.points, trendPoint(p, name, n, p.Cell == c.ID))
	}
	return d
}

// newestOfEach are the cells of the newest models of each moment: before the same last version, where others stand before it.
func newestOfEach(points []store.TrendPoint, c store.CellPage) map[int64]bool {
	newest := map[time.Time]store.TrendPoint{}
	last := len(c.Path) - 1
	for _, p := range points {
		if last > 0 && p.Path[last] != c.Path[last] {
			continue
		}
		known, ok := newest[p.At]
		if !ok || cmp.Or(slices.Compare(p.Path, known.Path), cmp.Compare(p.Number, known.Number)) > 0 {
			newest[p.At] = p
		}
	}
	cells := map[int64]bool{}
	for _, p := range newest {
		cells[p.Cell] = true
	}
	return cells
}

func trendPoint(p store.TrendPoint, name string, series int, current bool) web.CellTrendPointView {
	return web.CellTrendPointView{
		At: p.At, Series: series, Value: exactly(p.Value), Low: exactly(p.Low), High: exactly(p.High), Shown: shown(p.Value),
		Interval: intervalWords(p.Low, p.High), Items: p.Items, Name: name,
		Of: fmt.Sprintf("%s@%d", p.Dataset, p.Number), Href: cellHref(p.Cell), Current: current,
	}
}

// cellTrendCSV gives the points of a trend as a file.
func (s *Server) cellTrendCSV(w http.ResponseWriter, r *http.Request) error {
	c, err := s.cellOf(r)
	if err != nil {
		return err
	}
	of := trendOf(r, c)
	v, err := s.trendView(r, c, of, "")
	if err != nil {
		return err
	}
	rows := [][]string{{"at", "combination", "dataset_version", "measure", "value", "low", "high", "items", "class"}}
	for _, p := range v.Points {
		rows = append(rows, []string{p.At.UTC().Format(time.RFC3339), p.Name, p.Of, cmp.Or(of.Name, c.Measure), p.Value, p.Low, p.High, strconv.Itoa(p.Items), of.Class})
	}
	writeCSV(w, cellFile(c, "trend"), rows)
	return nil
}

func trendHref(cell int64) string { return cellHref(cell) + "/trend" }

// showCellTrend shows any measure of a cell over time.
func (s *Server) showCellTrend(w http.ResponseWriter, r *http.Request) error {
	c, err := s.cellOf(r)
	if err != nil {
		return err
	}
	of := trendOf(r, c)
	trend, err := s.trendView(r, c, of, trendHref(c.ID))
	if err != nil {
		return err
	}
	v := web.TrendPageView{
		Title: cellTitle(c), Version: c.VersionName(), Cell: cellHref(c.ID), Action: trendHref(c.ID), Class: of.Class, Measure: cmp.Or(of.Name, c.Measure),
		Line: r.URL.Query().Get("line"), Measures: trendOptions(c, of.Class), Trend: trend,
	}
	v.Trend.Title = trendWord(c, of) + " over time"
	if len(c.Path) > 1 {
		v.Behind = pathName(c.Models[:len(c.Models)-1])
	}
	if classes := store.TrendClasses(c.Figures); len(classes) > 0 {
		v.Classes = []ui.Option{{Label: "All together"}}
		for _, class := range classes {
			v.Classes = append(v.Classes, ui.Option{Value: class, Label: class})
		}
	}
	crumbs := cellCrumbs(c, ui.Crumb{Label: "Over time", Href: trendHref(c.ID)})
	return render(w, r, http.StatusOK, web.TrendPage(s.page(r, v.Trend.Title+", "+v.Title, crumbs...), v))
}
