package handlers

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"fiducial/internal/access"
	"fiducial/internal/models"
	"fiducial/internal/scoring"
	"fiducial/internal/speech"
	"fiducial/store"
	"fiducial/web"
	"fiducial/web/ui"
)

const cellLinesOnPage = 48

func (s *Server) cellLineRoutes(r router) {
	r.get("/cells/{cell}/items", access.ReadItems, s.listCellLines)
	r.get("/cells/{cell}/items/{position}", access.ReadItems, s.showCellLine)
	r.post("/cells/{cell}/causes", access.Review, s.tagErrors)
	r.get("/cells/{cell}/lines.csv", access.ReadItems, s.cellLinesCSV)
}

// lineShows are the lists of lines that a cell has.
var lineShows = []struct{ show, label, empty string }{
	{store.LinesLost, "Lost", "No item became worse than with the baseline."},
	{store.LinesGained, "Gained", "No item became better than with the baseline."},
	{store.LinesWrong, "Errors", "It has nothing wrong of this kind."},
}

// mistakeWords say what kinds of mistakes are.
var mistakeWords = map[string]string{
	string(scoring.WrongWords): "wrong words", string(scoring.FalsePositive): "false positive", string(scoring.FalseNegative): "missed", string(scoring.WrongClass): "wrong class",
}

// linesAsked reads which lines are asked for; what names nothing asks for nothing.
func linesAsked(r *http.Request, c store.CellPage) store.LineQuery {
	query := r.URL.Query()
	q := store.LineQuery{Show: query.Get("show"), Class: query.Get("class"), Kind: query.Get("kind"), Position: -1, Limit: cellLinesOnPage + 1}
	if !slices.ContainsFunc(lineShows, func(l struct{ show, label, empty string }) bool { return l.show == q.Show }) || c.Baseline == nil {
		q.Show = store.LinesWrong
	}
	q.Cause, _ = strconv.ParseInt(query.Get("cause"), 10, 64)
	parts := strings.Split(query.Get("after"), "_")
	if len(parts) == 4 {
		size, errSize := strconv.ParseFloat(parts[0], 64)
		position, errPosition := strconv.ParseInt(parts[1], 10, 32)
		ordinal, errOrdinal := strconv.ParseInt(parts[3], 10, 32)
		if errors.Join(errSize, errPosition, errOrdinal) == nil && position >= 0 && !math.IsNaN(size) {
			q.Size, q.Position, q.AfterKind, q.Ordinal = size, int(position), parts[2], int(ordinal)
		}
	}
	return q
}

// lineCursor is where a line stands in the order, as it stands in an address.
func lineCursor(l store.CellLine) string {
	return fmt.Sprintf("%s_%d_%s_%d", strconv.FormatFloat(math.Abs(l.Change), 'g', -1, 64), l.Position, strings.ReplaceAll(l.Kind, "_", "-"), l.Ordinal)
}

func (s *Server) listCellLines(w http.ResponseWriter, r *http.Request) error {
	return s.renderCellLines(w, r, http.StatusOK, web.Refusal{})
}

func (s *Server) renderCellLines(w http.ResponseWriter, r *http.Request, status int, refused web.Refusal) error {
	c, err := s.cellOf(r)
	if err != nil {
		return err
	}
	q := linesAsked(r, c)
	q.AfterKind = strings.ReplaceAll(q.AfterKind, "-", "_")
	lines, err := s.Store.CellLines(r.Context(), actorOf(r), c, q)
	if err != nil {
		return err
	}
	v := web.CellItemsView{
		Title: cellTitle(c), About: pathName(c.Models) + " on " + c.VersionName(), Cell: cellHref(c.ID), Wall: c.Kind == "image" && q.Show == store.LinesWrong,
		CSV: cellHref(c.ID) + "/lines.csv",
	}
	if len(lines) > cellLinesOnPage {
		lines = lines[:cellLinesOnPage]
		v.Next = with(r.URL.Path, r.URL.Query(), "after", lineCursor(lines[cellLinesOnPage-1]))
	}
	for _, show := range lineShows {
		if show.show == store.LinesWrong || c.Baseline != nil {
			v.Tabs = append(v.Tabs, lineTab(c, show.show, show.label, q))
		}
		if show.show == q.Show {
			v.Empty = show.empty
		}
	}
	for _, l := range lines {
		v.Rows = append(v.Rows, cellLineView(c, l))
	}
	if q.Show == store.LinesWrong {
		if err := s.fillCauses(r, c, q, &v, refused); err != nil {
			return err
		}
	}
	page := s.page(r, "Lines of "+v.Title, cellCrumbs(c, ui.Crumb{Label: "Items"})...)
	return render(w, r, status, web.CellItemsPage(page, v))
}

func lineTab(c store.CellPage, show, label string, q store.LineQuery) ui.Tab {
	tab := ui.Tab{Label: label, Href: with(cellHref(c.ID)+"/items", url.Values{}, "show", show), Current: show == q.Show}
	switch show {
	case store.LinesLost:
		tab.Count = c.Difference.Lost
	case store.LinesGained:
		tab.Count = c.Difference.Gained
	default:
		tab.Count = c.Errors
	}
	return tab
}

// fillCauses fills in what was found behind the errors, and the form that says it.
func (s *Server) fillCauses(r *http.Request, c store.CellPage, q store.LineQuery, v *web.CellItemsView, refused web.Refusal) error {
	causes, err := s.Store.Causes(r.Context(), actorOf(r), c.ID)
	if err != nil {
		return err
	}
	query := url.Values{"show": {store.LinesWrong}}
	for _, name := range []string{"class", "kind"} {
		if value := r.URL.Query().Get(name); value != "" {
			query.Set(name, value)
		}
	}
	here := cellHref(c.ID) + "/items"
	if q.Class != "" {
		v.About += ": " + q.Class
	}
	v.Kinds = kindChips(r, c, q)
	found := false
	for _, cause := range causes {
		if cause.Errors > 0 {
			found = true
			v.Causes = append(v.Causes, web.CauseCountView{
				Name: cause.Name, Errors: cause.Errors, Current: cause.ID == q.Cause, Href: with(here, query, "cause", strconv.FormatInt(cause.ID, 10)),
			})
		}
	}
	if found {
		v.Causes = slices.Insert(v.Causes, 0, web.CauseCountView{Name: "All errors", Current: q.Cause == 0, Href: here + "?" + query.Encode()})
	}
	if actorOf(r).Allowed(access.Review) {
		back := r.URL.RequestURI()
		if r.Method == http.MethodPost { // what was refused is sent again from here
			back = backTo(r, here)
		}
		v.Tag = tagForm(c, causes, back, refused)
	}
	return nil
}

// kindChips lead to the errors of each kind, where there are several kinds.
func kindChips(r *http.Request, c store.CellPage, q store.LineQuery) (chips []web.CauseCountView) {
	if c.Task == scoring.Speech {
		return nil
	}
	for _, kind := range []string{"", string(scoring.FalseNegative), string(scoring.FalsePositive), string(scoring.WrongClass)} {
		query := url.Values{"show": {store.LinesWrong}}
		for _, name := range []string{"class", "cause"} {
			if value := r.URL.Query().Get(name); value != "" {
				query.Set(name, value)
			}
		}
		if kind != "" {
			query.Set("kind", kind)
		}
		chips = append(chips, web.CauseCountView{Name: cmp.Or(kindNames[kind], "All kinds"), Current: q.Kind == kind, Href: cellHref(c.ID) + "/items?" + query.Encode()})
	}
	return chips
}

// kindNames are what errors of a kind are called together.
var kindNames = map[string]string{
	string(scoring.FalseNegative): "Missed", string(scoring.FalsePositive): "False positives", string(scoring.WrongClass): "Wrong class",
}

func tagForm(c store.CellPage, causes []store.Cause, back string, refused web.Refusal) *web.TagFormView {
	v := &web.TagFormView{Action: cellHref(c.ID) + "/causes", Back: back, Refused: refused, Causes: []ui.Option{{Label: "Choose"}}}
	for _, cause := range causes {
		v.Causes = append(v.Causes, ui.Option{Value: strconv.FormatInt(cause.ID, 10), Label: cause.Name})
	}
	return v
}

// errorBox names a mistake in a form.
func errorBox(l store.CellLine) string {
	if l.Kind == "" {
		return ""
	}
	return fmt.Sprintf("%d:%s:%d", l.Position, l.Kind, l.Ordinal)
}

// errorRef reads what errorBox wrote.
func errorRef(text string) (ref store.ErrorRef, ok bool) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return ref, false
	}
	position, errPosition := strconv.ParseInt(parts[0], 10, 32)
	ordinal, errOrdinal := strconv.ParseInt(parts[2], 10, 32)
	return store.ErrorRef{Position: int(position), Kind: parts[1], Ordinal: int(ordinal)}, errors.Join(errPosition, errOrdinal) == nil
}

func (s *Server) tagErrors(w http.ResponseWriter, r *http.Request) error {
	c, err := s.cellOf(r)
	if err != nil {
		return err
	}
	t := store.TagErrors{Cell: c, New: r.PostFormValue("new"), Remove: r.PostFormValue("remove") != ""}
	t.Cause, _ = strconv.ParseInt(r.PostFormValue("cause"), 10, 64)
	for _, text := range r.PostForm["error"] {
		if ref, ok := errorRef(text); ok {
			t.Errors = append(t.Errors, ref)
		}
	}
	n, err := s.Store.TagErrors(r.Context(), actorOf(r), t)
	if refused, ok := refusalOf(err); ok {
		if line, err := strconv.ParseInt(r.PostFormValue("line"), 10, 32); err == nil { // of the page of one item
			return s.renderCellLine(w, r, http.StatusUnprocessableEntity, c, int(line), refused)
		}
		return s.renderCellLines(w, r, http.StatusUnprocessableEntity, refused)
	}
	if err != nil {
		return err
	}
	s.flash(r, fmt.Sprintf("%s %s.", map[bool]string{true: "The tag is off", false: "Tagged"}[t.Remove], map[bool]string{true: "one error", false: strconv.Itoa(n) + " errors"}[n == 1]))
	return seeOther(w, r, backTo(r, cellHref(c.ID)+"/items"))
}

// cellLineView is a line of a cell in a list.
func cellLineView(c store.CellPage, l store.CellLine) web.CellLineView {
	v := web.CellLineView{
		Href: fmt.Sprintf("%s/items/%d", cellHref(c.ID), l.Position), Name: cmp.Or(l.Name, fmt.Sprintf("Item %d", l.Item)), Kind: mistakeWords[l.Kind], Place: fmt.Sprintf("line %d", l.Position),
		Causes: l.Causes, Box: errorBox(l), Truth: lineTruth(c, l), Said: lineSaid(c, l.Now), Gone: !l.Now.There,
	}
	if l.Before != nil {
		v.Before = lineSaid(c, *l.Before)
	}
	if c.Task == scoring.Speech {
		v.SaidWords, v.BeforeWords = lineWords(c, l)
	}
	v.Change = changeWords(c, l)
	switch {
	case l.Kind != "":
	case l.Change > 0:
		v.Tone = ui.OK
	default:
		v.Tone = ui.Bad
	}
	if c.Kind == "image" && l.Kind != "" {
		v.Window = mistakeWindow(c, l)
		v.Said, v.Truth = cmp.Or(l.SaidClass, l.TruthClass), l.TruthClass
		if l.Kind != string(scoring.WrongClass) {
			v.Truth = ""
		}
		v.Change = strings.TrimPrefix(mistakeWords[l.Kind]+", "+v.Change, "missed, ")
	}
	return v
}

// lineWords are what both combinations heard, word by word beside the truth.
func lineWords(c store.CellPage, l store.CellLine) (now, before []web.CellWordView) {
	n, truth := speech.ProjectNormalizer(c.Normalizer), l.Words.Text()
	if l.Now.There {
		now = cellSide("", truth, l.Now.Text, true, n).Words
	}
	if l.Before != nil && l.Before.There {
		before = cellSide("", truth, l.Before.Text, true, n).Words
	}
	return now, before
}

// changeWords say how much a line moved, or how wrong it is.
func changeWords(c store.CellPage, l store.CellLine) string {
	size := strconv.FormatFloat(math.Abs(l.Change), 'f', -1, 64)
	if l.Kind != "" {
		switch l.Kind {
		case string(scoring.WrongWords):
			return size + map[bool]string{true: " word wrong", false: " words wrong"}[l.Change == 1]
		case string(scoring.FalseNegative):
			return "missed"
		}
		return "confidence " + strconv.FormatFloat(l.Change, 'f', 2, 64)
	}
	what := "error"
	if c.Task == scoring.Speech {
		what = "word error"
	}
	if size != "1" {
		what += "s"
	}
	return size + map[bool]string{true: " fewer ", false: " more "}[l.Change > 0] + what
}

// lineTruth is what is true of a line, in words.
func lineTruth(c store.CellPage, l store.CellLine) string {
	if c.Task == scoring.Speech {
		return l.Words.Text()
	}
	classes := map[string]bool{}
	for _, one := range c.Figures.Classes {
		classes[one.Name] = true
	}
	var names []string
	for _, m := range l.Marks {
		if !slices.Contains(names, m.Class) && (len(classes) == 0 || classes[m.Class]) {
			names = append(names, m.Class)
		}
	}
	if len(names) == 0 {
		return "none of its classes"
	}
	return strings.Join(names, ", ")
}

// lineSaid is what a combination said of a line, in words.
func lineSaid(c store.CellPage, o store.LineOutput) string {
	switch {
	case !o.There:
		return ""
	case c.Task == scoring.Speech:
		return cmp.Or(o.Text, "(nothing)")
	case c.Task == scoring.Detection:
		return boxesSaid(o.Boxes)
	}
	var names []string
	for _, l := range o.Labels {
		name := l.Label
		if l.Confidence != nil {
			name += " " + strconv.FormatFloat(*l.Confidence, 'f', 2, 64)
		}
		names = append(names, name)
	}
	said := cmp.Or(strings.Join(names, ", "), "nothing")
	if o.Heard != "" {
		said += ", of “" + o.Heard + "”"
	}
	return said
}

// boxesSaid are the classes of boxes, each with how many there are of it.
func boxesSaid(boxes []models.Box) string {
	var classes, names []string
	of := map[string]int{}
	for _, b := range boxes {
		if of[b.Class]++; of[b.Class] == 1 {
			classes = append(classes, b.Class)
		}
	}
	for _, class := range classes {
		if n := of[class]; n > 1 {
			class = fmt.Sprintf("%d × %s", n, class)
		}
		names = append(names, class)
	}
	return cmp.Or(strings.Join(names, ", "), "nothing")
}

// mistakeWindow is the crop of a mistake: the box that was said, or that which was missed.
func mistakeWindow(c store.CellPage, l store.CellLine) *web.WindowView {
	var x, y, w, h float64
	switch {
	case l.SaidAt >= 0 && l.SaidAt < len(l.Now.Boxes):
		b := l.Now.Boxes[l.SaidAt]
		x, y, w, h = b.X, b.Y, b.W, b.H
	case l.TruthAt >= 0 && l.TruthAt < len(l.Marks):
		b := l.Marks[l.TruthAt]
		x, y, w, h = b.X, b.Y, b.W, b.H
	default:
		return nil
	}
	span := spanFor(max(w, h))
	return &web.WindowView{
		Src: fmt.Sprintf("/media/windows/%d?x=%.0f&y=%.0f&span=%d", l.Item, max(0, x+w/2), max(0, y+h/2), span), Box: windowBox(x, y, w, h, span),
		Href: fmt.Sprintf("%s/items/%d", cellHref(c.ID), l.Position),
	}
}

// spanFor is the smallest side of a crop that shows a box with something round it.
func spanFor(side float64) int {
	sides := store.WindowSides()
	for _, span := range sides {
		if float64(span) >= 1.4*side {
			return span
		}
	}
	return sides[len(sides)-1]
}

// cellLinesCSV gives the scores of each line as a file: numbers alone, by the line's position in its version.
func (s *Server) cellLinesCSV(w http.ResponseWriter, r *http.Request) error {
	c, err := s.cellOf(r)
	if err != nil {
		return err
	}
	sheet, err := s.Store.Sheet(r.Context(), c.ID)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.csv"`, cellFile(c, "lines")))
	w.Header().Set("Cache-Control", "no-store")
	file := csv.NewWriter(w)
	_ = file.Write([]string{"position", "failed", "seconds", "confidence", "word_errors", "reference_words", "character_errors", "characters", "right", "wrong", "missed"})
	for i := range sheet.Scores {
		_ = file.Write(scoreColumns(sheet.Task, &sheet.Scores[i])) // the client has gone; there is no one left to tell
	}
	file.Flush()
	return nil
}

func scoreColumns(task scoring.Task, s *scoring.Score) []string {
	row := []string{strconv.Itoa(s.Position), strconv.FormatBool(s.Failed), number32(s.Length), number32(s.Confidence), "", "", "", "", "", "", ""}
	switch task {
	case scoring.Speech:
		row[4], row[5] = strconv.Itoa(s.Words.Errors()), strconv.Itoa(s.Words.Reference())
		row[6], row[7] = strconv.Itoa(int(s.Words.CharacterErrors)), strconv.Itoa(int(s.Words.Characters))
	case scoring.Label, scoring.Labels, scoring.Spans:
		right, wrong, missed := 0, 0, 0
		for _, m := range s.Marks {
			switch {
			case m.Truth == m.Said:
				right++
			case m.Said < 0:
				missed++
			default:
				wrong++
			}
		}
		row[8], row[9], row[10] = strconv.Itoa(right), strconv.Itoa(wrong), strconv.Itoa(missed)
	case scoring.Detection:
	}
	return row
}

func number32(v float32) string {
	if math.IsNaN(float64(v)) {
		return ""
	}
	return strconv.FormatFloat(float64(v), 'g', -1, 32)
}
