package handlers

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/internal/scoring"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// cellClasses are the classes of a cell, the worst first.
func cellClasses(c store.CellPage, reads bool) (rows []web.CellClassView) {
	baseline := map[string]scoring.Class{}
	if c.Baseline != nil {
		for _, one := range c.Baseline.Figures.Classes {
			baseline[one.Name] = one
		}
	}
	classes := slices.Clone(c.Figures.Classes)
	slices.SortStableFunc(classes, func(a, b scoring.Class) int { return cmp.Compare(orMost(a.F1), orMost(b.F1)) })
	for _, one := range classes {
		row := web.CellClassView{
			Name: one.Name, Truth: one.Truth, Predicted: one.Predicted, Precision: shown(one.Precision), Recall: shown(one.Recall), F1: shown(one.F1), AP: shown(one.AP),
		}
		if one.F1 != nil {
			row.F1Share = int(math.Round(100 * *one.F1))
		}
		if b, ok := baseline[one.Name]; ok && b.F1 != nil && one.F1 != nil {
			row.Change = signed(*one.F1 - *b.F1)
		}
		if reads {
			row.ErrorsURL = cellHref(c.ID) + "/items?" + url.Values{"class": {one.Name}}.Encode()
		}
		rows = append(rows, row)
	}
	return rows
}

// orMost is a number, or what is above all if there is none.
func orMost(v *float64) float64 {
	if v == nil {
		return math.Inf(1)
	}
	return *v
}

// cellConfusion is the table of a cell, with the shares of the rows.
func cellConfusion(c store.CellPage) *web.ConfusionView {
	f := c.Figures.Confusion
	if f == nil || len(f.Classes) == 0 || len(f.Counts) != len(f.Classes) {
		return nil
	}
	v := &web.ConfusionView{Title: "Confusion", Rows: "the truth", Columns: cellTitle(c), CSV: cellHref(c.ID) + "/figures.csv?table=confusion"}
	for i, row := range f.Counts {
		v.Classes = append(v.Classes, web.ClassRef{Name: f.Classes[i], Slot: -1})
		total := 0
		for _, n := range row {
			total += n
		}
		cells := make([]web.ConfusionCellView, len(row))
		for j, n := range row {
			if n == 0 {
				continue
			}
			share := float64(n) / float64(total)
			cells[j] = web.ConfusionCellView{
				Share: percentText(share), Heat: heat(share, i == j),
				Says: fmt.Sprintf("truth %s, said %s: %s %%, %d of %d", f.Classes[i], f.Classes[j], percentText(share), n, total),
			}
		}
		v.Cells = append(v.Cells, cells)
	}
	return v
}

// sliceWords say by what slices are cut, in the order in which they are shown.
var sliceWords = []struct{ by, word string }{
	{scoring.ByLength, "length"}, {scoring.ByConfidence, "confidence, in tenths"}, {scoring.ByClass, "class of the truth"}, {scoring.BySource, "source"},
}

// sliceName is what a slice is called; sources are the names of those that still are there.
func sliceName(s scoring.Slice, sources map[int64]string) string {
	switch s.By {
	case scoring.ByLength:
		if from, ok := strings.CutSuffix(s.Name, "-"); ok {
			return "from " + from + " s"
		}
		return s.Name + " s"
	case scoring.ByConfidence:
		return "tenth " + s.Name + map[bool]string{true: ", the least sure", false: ""}[s.Name == "1"]
	case scoring.BySource:
		if s.Name == "0" {
			return "without a source"
		}
		id, _ := strconv.ParseInt(s.Name, 10, 64)
		return cmp.Or(sources[id], "source "+s.Name)
	}
	return s.Name
}

// slicedSources are the names of the sources by which a cell's lines are cut, for who may see items.
func (s *Server) slicedSources(r *http.Request, c store.CellPage) (map[int64]string, error) {
	var ids []int64
	for _, slice := range c.Figures.Slices {
		if id, err := strconv.ParseInt(slice.Name, 10, 64); err == nil && slice.By == scoring.BySource {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 || !actorOf(r).Allowed(access.ReadItems) {
		return nil, nil
	}
	return s.Store.SourceNames(r.Context(), actorOf(r), ids)
}

// cellSlices are the parts of a cell by each property, on one axis a property.
func cellSlices(c store.CellPage, sources map[int64]string) (all []web.CellSlicesView) {
	for _, kind := range sliceWords {
		v := web.CellSlicesView{By: kind.word}
		var rows []scoring.Slice
		for _, s := range c.Figures.Slices {
			if s.By == kind.by && len(s.Measures) > 0 && s.Measures[0].Value != nil {
				rows = append(rows, s)
			}
		}
		if len(rows) == 0 {
			continue
		}
		axis := axisOf(rows, c.Value)
		for _, s := range rows {
			m := s.Measures[0]
			v.Rows = append(v.Rows, web.CellSliceView{
				Name: sliceName(s, sources), Estimate: measureEstimate(m), Low: axis.place(m.Low, *m.Value), At: axis.place(m.Value, 0), High: axis.place(m.High, *m.Value),
				Within: c.Value == nil || (m.Low == nil || *m.Low <= *c.Value) && (m.High == nil || *m.High >= *c.Value),
			})
		}
		all = append(all, v)
	}
	return all
}

// sliceAxis puts values on an axis of 1000 with the whole in its middle.
type sliceAxis struct{ middle, reach float64 }

func axisOf(rows []scoring.Slice, whole *float64) sliceAxis {
	a := sliceAxis{reach: 1e-9}
	if whole != nil {
		a.middle = *whole
	} else {
		a.middle = *rows[0].Measures[0].Value
	}
	for _, s := range rows {
		for _, v := range []*float64{s.Measures[0].Value, s.Measures[0].Low, s.Measures[0].High} {
			if v != nil {
				a.reach = max(a.reach, math.Abs(*v-a.middle))
			}
		}
	}
	return a
}

func (a sliceAxis) place(v *float64, otherwise float64) int {
	if v == nil {
		v = &otherwise
	}
	return int(math.Round(500 + 480*(*v-a.middle)/a.reach))
}

func cellCalibration(c *scoring.Calibration) *web.CalibrationView {
	if c == nil || len(c.Bins) == 0 {
		return nil
	}
	v := &web.CalibrationView{About: fmt.Sprintf("n %s, Brier score %s", ui.Number(c.Units), figure(c.Brier)), Error: figure(c.Error)}
	for _, b := range c.Bins {
		bin := web.CalibrationBinView{From: strconv.FormatFloat(b.From, 'f', 1, 64), To: strconv.FormatFloat(b.To, 'f', 1, 64), Items: b.Units}
		if b.Confidence != nil && b.Accuracy != nil {
			bin.Confidence, bin.Right = strconv.FormatFloat(*b.Confidence, 'f', 3, 64), strconv.FormatFloat(*b.Accuracy, 'f', 3, 64)
		}
		v.Bins = append(v.Bins, bin)
	}
	return v
}

// cellFiguresCSV gives a table of a cell's figures as a file: measures with their slices, classes, or the confusion.
func (s *Server) cellFiguresCSV(w http.ResponseWriter, r *http.Request) error {
	c, err := s.cellOf(r)
	if err != nil {
		return err
	}
	switch table := r.URL.Query().Get("table"); {
	case table == "confusion" && c.Figures.Confusion != nil:
		writeCSV(w, cellFile(c, "confusion"), cellConfusionRows(c.Figures.Confusion))
	case table == "classes":
		writeCSV(w, cellFile(c, "classes"), cellClassRows(c.Figures.Classes))
	default:
		writeCSV(w, cellFile(c, "figures"), cellMeasureRows(*c.Figures))
	}
	return nil
}

// cellFile names a file of a cell, so that those of two cells lie side by side.
func cellFile(c store.CellPage, table string) string { return fmt.Sprintf("cell-%d-%s", c.ID, table) }

func cellMeasureRows(f scoring.Figures) [][]string {
	rows := [][]string{{"part_by", "part", "measure", "value", "low", "high", "items", "higher_is_better"}}
	add := func(by, name string, measures []scoring.Measure) {
		for _, m := range measures {
			rows = append(rows, []string{by, name, m.Name, exactly(m.Value), exactly(m.Low), exactly(m.High), strconv.Itoa(m.Items), strconv.FormatBool(m.HigherIsBetter)})
		}
	}
	add("", "", f.Measures)
	for _, s := range f.Slices {
		add(s.By, s.Name, s.Measures)
	}
	return rows
}

func cellClassRows(classes []scoring.Class) [][]string {
	rows := [][]string{{"class", "truth", "predicted", "right", "precision", "recall", "f1", "ap"}}
	for _, c := range classes {
		rows = append(rows, []string{c.Name, strconv.Itoa(c.Truth), strconv.Itoa(c.Predicted), strconv.Itoa(c.Right), exactly(c.Precision), exactly(c.Recall), exactly(c.F1), exactly(c.AP)})
	}
	return rows
}

func cellConfusionRows(f *scoring.Confusion) [][]string {
	rows := [][]string{append([]string{"truth"}, f.Classes...)}
	for i, counts := range f.Counts {
		row := []string{f.Classes[i]}
		for _, n := range counts {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, row)
	}
	return rows
}
