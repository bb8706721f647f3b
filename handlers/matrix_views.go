package handlers

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

// referenceWord is what stands on pages for the truth in the place of a model.
const referenceWord = "the truth’s words"

// modelName is a model version as pages name it.
func modelName(name string) string {
	if name == store.Reference {
		return referenceWord
	}
	return strings.Replace(name, "@", " ", 1)
}

// pathName is a combination as pages name it.
func pathName(models []string) string {
	names := make([]string, len(models))
	for i, name := range models {
		names[i] = modelName(name)
	}
	return strings.Join(names, " → ")
}

// measureWords are what measures are called on pages.
var measureWords = map[string]string{
	"wer": "WER", "wer_mean": "WER, mean of items", "cer": "CER", "macro_f1": "F1", "micro_f1": "F1, micro", "weighted_f1": "F1, weighted", "accuracy": "Accuracy",
	"subset_accuracy": "All labels right", "span_f1": "F1 of moments", "span_precision": "Precision of moments", "span_recall": "Recall of moments", "map": "mAP",
	"map50": "AP at 0.5", "map75": "AP at 0.75", "ap50": "AP at 0.5", "ap75": "AP at 0.75", "ar100": "AR at 100", "precision": "Precision", "recall": "Recall",
	"mcc": "MCC", "kappa": "Kappa", "macro_precision": "Precision", "macro_recall": "Recall", "log_loss": "Log loss", "brier": "Brier score",
	"insertions": "Insertions", "deletions": "Deletions", "substitutions": "Substitutions", "same_words": "Items without an error", "hamming_loss": "Hamming loss",
	"mer": "MER", "wil": "WIL", "utterances_wrong": "Utterances with an error", "micro_precision": "Precision, micro", "micro_recall": "Recall, micro",
	"ap_small": "AP of small ones", "ap_medium": "AP of medium ones", "ap_large": "AP of large ones", "ar1": "AR at 1", "ar10": "AR at 10",
	"f1": "F1", "ap": "AP", store.CalibrationError: "Calibration error", store.CalibrationWorst: "Worst calibration error", store.CalibrationBrier: "Brier score of confidence",
	"ar_small": "AR of small ones", "ar_medium": "AR of medium ones", "ar_large": "AR of large ones",
}

// measureWord is what a measure is called; one that is not known stands as it is.
func measureWord(name string) string {
	if word, ok := measureWords[name]; ok {
		return word
	}
	return strings.ReplaceAll(name, "_", " ")
}

// signed writes a difference with its sign.
func signed(v float64) string {
	text := strconv.FormatFloat(math.Abs(v), 'f', 3, 64)
	switch {
	case v > 0:
		return "+" + text
	case v < 0:
		return "−" + text
	}
	return text
}

// marginOf is half the width of an interval, behind its sign; nothing without one.
func marginOf(low, high *float64) string {
	if low == nil || high == nil {
		return ""
	}
	return "±" + figure((*high-*low)/2)
}

func shown(v *float64) string {
	if v == nil {
		return "–"
	}
	return figure(*v)
}

// heatOf is how strongly a real difference is shown, from -3, much worse, to 3.
func heatOf(d *store.CellDifference) int {
	if !d.Real() {
		return 0
	}
	heat := 1
	for _, step := range []float64{0.02, 0.045} {
		if math.Abs(*d.Value) >= step {
			heat++
		}
	}
	if !d.Better {
		return -heat
	}
	return heat
}

// combination is a path with the names of its models.
type combination struct {
	path  []int64
	names []string
}

// last is what the combination measures.
func (c combination) last() combination {
	n := len(c.path) - 1
	return combination{c.path[n:], c.names[n:]}
}

// before is what stands before the last slot.
func (c combination) before() combination {
	n := len(c.path) - 1
	return combination{c.path[:n:n], c.names[:n:n]}
}

// then is the combination with another model behind it.
func (c combination) then(next combination) combination {
	return combination{slices.Concat(c.path, next.path), slices.Concat(c.names, next.names)}
}

func (c combination) name() string { return pathName(c.names) }

// is tells whether the combination begins the path.
func (c combination) begins(path []int64) bool {
	return len(path) >= len(c.path) && slices.Equal(c.path, path[:len(c.path)])
}

// ends tells whether the path ends with the combination.
func (c combination) ends(path []int64) bool {
	return len(path) >= len(c.path) && slices.Equal(c.path, path[len(path)-len(c.path):])
}

// matrixLayout is a matrix by the places of its cells.
type matrixLayout struct {
	m       store.MatrixPage
	at      map[string]*store.MatrixCell // by version and path
	rows    []combination                // what stands before the last slot
	columns []combination                // what stands in it
}

func (l *matrixLayout) of(version int64, c combination) *store.MatrixCell {
	return l.at[store.PlaceOf(version, c.path)]
}

func layoutOf(m store.MatrixPage) *matrixLayout {
	l := &matrixLayout{m: m, at: make(map[string]*store.MatrixCell, len(m.Cells))}
	rows, columns := map[string]bool{}, map[int64]bool{}
	for i := range m.Cells {
		c := &m.Cells[i]
		l.at[store.PlaceOf(c.Version, c.Path)] = c
		if len(c.Path) != len(m.Chain.Slots) {
			continue
		}
		whole := combination{c.Path, c.Models}
		row, column := whole.before(), whole.last()
		if len(m.Chain.Slots) == 1 {
			row = whole
		}
		if key := store.PlaceOf(0, row.path); !rows[key] {
			rows[key] = true
			l.rows = append(l.rows, row)
		}
		if !columns[column.path[0]] {
			columns[column.path[0]] = true
			l.columns = append(l.columns, column)
		}
	}
	// The newest release stands first, the truth in a model's place last.
	slices.SortFunc(l.rows, func(a, b combination) int { return slices.Compare(b.path, a.path) })
	slices.SortFunc(l.columns, func(a, b combination) int { return strings.Compare(a.name(), b.name()) })
	return l
}

// matrixPanels lays the cells out: a panel a dataset version, or of a chain of one slot a single one with a column a version.
func matrixPanels(m store.MatrixPage) []web.MatrixPanelView {
	l := layoutOf(m)
	if len(l.rows) == 0 {
		return nil
	}
	if len(m.Chain.Slots) == 1 {
		return []web.MatrixPanelView{l.single()}
	}
	var panels []web.MatrixPanelView
	for _, version := range m.Versions {
		panels = append(panels, l.panel(version))
	}
	return panels
}

func versionHref(v store.MatrixVersion) string {
	return fmt.Sprintf("%s/%s/%d", datasetsPath, v.Dataset, v.Number)
}

// slotWords are what slots are called.
var slotWords = map[string]string{"asr": "Recognizer", "formatting": "Formatting", "nlp": "Task", "detector": "Detector"}

func (l *matrixLayout) corner() string {
	var words []string
	for _, slot := range l.m.Chain.Slots[:max(1, len(l.m.Chain.Slots)-1)] {
		words = append(words, slotWords[slot])
	}
	return strings.Join(words, " → ")
}

func (l *matrixLayout) panel(version store.MatrixVersion) web.MatrixPanelView {
	p := web.MatrixPanelView{
		Name: version.Name(), Href: versionHref(version), About: "difference to the baseline, 95 % interval, paired by group", Corner: l.corner(),
	}
	for _, column := range l.columns {
		p.Columns = append(p.Columns, web.MatrixHeadView{Name: column.name(), About: l.columnAbout(version.ID, column)})
	}
	for _, row := range l.rows {
		r := web.MatrixRowView{Name: row.name(), Baseline: row.begins(l.m.Baseline)}
		if own := l.of(version.ID, row); own != nil && own.ID != 0 {
			view := l.cell(own, row, r.Baseline)
			r.Own, r.Measure = &view, measureWord(own.Measure)
		}
		for _, column := range l.columns {
			whole := row.then(column)
			r.Cells = append(r.Cells, l.cell(l.of(version.ID, whole), whole, slices.Equal(whole.path, l.m.Baseline)))
		}
		p.Rows = append(p.Rows, r)
	}
	return p
}

// columnAbout says what the cells of a column measure, and of how many items.
func (l *matrixLayout) columnAbout(version int64, column combination) string {
	for _, row := range l.rows {
		c := l.of(version, row.then(column))
		if c != nil && c.ID != 0 {
			return measureWord(c.Measure) + ", n " + ui.Number(c.Items-c.Failed)
		}
	}
	return ""
}

// single is the panel of a chain of one slot.
func (l *matrixLayout) single() web.MatrixPanelView {
	p := web.MatrixPanelView{Name: l.m.Chain.Name, Href: matrixHref(l.m.Chain.ID), About: "difference to the baseline, 95 % interval, paired by group", Corner: l.corner()}
	for _, version := range l.m.Versions {
		about := ""
		for _, row := range l.rows {
			if c := l.of(version.ID, row); c != nil && c.ID != 0 {
				about = measureWord(c.Measure) + ", n " + ui.Number(c.Items-c.Failed)
				break
			}
		}
		p.Columns = append(p.Columns, web.MatrixHeadView{Name: version.Name(), About: about})
	}
	for _, row := range l.rows {
		r := web.MatrixRowView{Name: row.name(), Baseline: slices.Equal(row.path, l.m.Baseline)}
		for _, version := range l.m.Versions {
			r.Cells = append(r.Cells, l.cell(l.of(version.ID, row), row, r.Baseline))
		}
		p.Rows = append(p.Rows, r)
	}
	return p
}

// voids say why there is no cell, by the state of the step that was to be measured.
var voids = map[string]struct{ word, icon string }{
	"":          {"Not run", "play"},
	"waiting":   {"Waiting", "clock"},
	"running":   {"Running", "loader-circle"},
	"done":      {"Being scored", "loader-circle"},
	"failed":    {"Failed", "octagon-x"},
	"cancelled": {"Stopped", "ban"},
}

// cell is how one combination is shown; c is nil where none was asked for.
func (l *matrixLayout) cell(c *store.MatrixCell, of combination, baseline bool) web.MatrixCellView {
	v := web.MatrixCellView{Combination: of.name(), Baseline: baseline}
	if c == nil || c.ID == 0 {
		state := ""
		if c != nil {
			state = c.State
		}
		v.Void, v.VoidIcon = voids[state].word, voids[state].icon
		return v
	}
	v.Href, v.Value = cellHref(c.ID), shown(c.Value)
	v.Low, v.High, v.Items = shown(c.Low), shown(c.High), ui.Number(c.Items-c.Failed)
	v.Stale = len(c.Stale.Models) > 0 || c.Stale.Erased > 0 || c.Changed > 0
	v.Notes = cellNotes(c, l.m.Baseline != nil && !baseline)
	d := c.Difference
	if d == nil || d.Value == nil || baseline {
		v.Margin = marginOf(c.Low, c.High)
		return v
	}
	v.Diff, v.Margin = signed(*d.Value), marginOf(d.Low, d.High)
	v.Heat, v.Noise, v.Better = heatOf(d), !d.Real(), d.Better
	return v
}

// cellNotes are the marks of a cell. compares says that a difference to the baseline is expected of it.
func cellNotes(c *store.MatrixCell, compares bool) (notes []web.MatrixNoteView) {
	add := func(icon, tone, word string) {
		notes = append(notes, web.MatrixNoteView{Icon: icon, Tone: tone, Word: word})
	}
	if c.Changed > 0 {
		add("history", "", fmt.Sprintf("stale: %d of its labels are others by now", c.Changed))
	}
	if len(c.Stale.Models) > 0 {
		add("history", "", "stale: "+pathName(c.Stale.Models)+" is asked in another way by now")
	}
	if c.Stale.Erased > 0 {
		add("history", "", fmt.Sprintf("stale: %d of its items were erased since", c.Stale.Erased))
	}
	if c.Failed > 0 {
		add("triangle-alert", "warn", fmt.Sprintf("incomplete: %d items without an output", c.Failed))
	}
	if compares && (c.Difference == nil || c.Difference.Value == nil) {
		add("git-compare", "", "not comparable with the baseline")
	}
	for _, flag := range c.Flags {
		add("flag", "warn", leaningWords[flag.Kind])
	}
	return notes
}

// leaningWords say why a figure leans towards its model.
var leaningWords = map[string]string{
	"prefill":   "leans towards its model: makers of the truth saw its output",
	"corrected": "leans towards its model: its errors prompted corrections of the truth",
}
